/* quads8_thumb2.h - assembler macros: weights of 8 bits, four outputs at a time, for Armv7-M and Armv8-M mainline.
 *
 * As quads8_m0.S says: s0 to s3 are sums of products with the word shifted right by 0, 8, 16 and 24 bits, modulo 2^32.
 *
 *     r0, r1    words, inputs: what is read next
 *     r2, r3    two inputs
 *     r4, r5    their words
 *     r6, r7    a word, shifted
 *     r8-r11    s0 to s3
 *     r12, lr   the end of the inputs that are taken four at a time, the sums
 *
 * Four inputs take 2 * (5 + 2 * 11) + 6 = 60 cycles of 16 products on the Cortex-M3.
 */
/* clang-format off */
#ifndef MCUGEN_QUADS8_THUMB2_H
#define MCUGEN_QUADS8_THUMB2_H
#ifdef __ASSEMBLER__

#include "mcugen.h"

/* The frame, in bytes from sp. */
        .equ    X, 0
        .equ    X_END, 4
        .equ    SUMS_END, 8
        .equ    FRAME, 12       /* with 9 registers a multiple of 8 */

        .macro  INPUT x, w
        lsrs    r6, \w, #8
        lsrs    r7, \w, #16
        mla     r8, \w, \x, r8
        mla     r9, r6, \x, r9
        lsrs    r6, \w, #24
        mla     r10, r7, \x, r10
        mla     r11, r6, \x, r11
        .endm

        .macro  TWO i
        ldrb    r2, [r1, #\i]
        ldrb    r3, [r1, #\i + 1]
        ldr     r4, [r0, #4 * \i]
        ldr     r5, [r0, #4 * \i + 4]
        INPUT   r2, r4
        INPUT   r3, r5
        .endm

/* const uint32_t *\name(const uint32_t *quads, const uint8_t *x, uint32_t n, uint32_t groups,
 *                                   int32_t *sums) */
        .macro  QUADS8 name
        FUNCTION \name
        push    {r4-r11, lr}
        ldr     lr, [sp, #36]           /* sums */
        sub     sp, sp, #FRAME
        add     r3, lr, r3, lsl #4
        str     r3, [sp, #SUMS_END]
        add     r3, r1, r2
        strd    r1, r3, [sp, #X]
        bic     r2, r2, #3
        add     r12, r1, r2
1:                                      /* a group */
        mov     r8, #0
        mov     r9, #0
        mov     r10, #0
        mov     r11, #0
        ldr     r1, [sp, #X]
        cmp     r1, r12
        beq     3f
2:      TWO     0
        TWO     2
        adds    r0, r0, #16
        adds    r1, r1, #4
        cmp     r1, r12
        bne     2b
3:      ldr     r3, [sp, #X_END]
        b       5f
4:      ldrb    r2, [r1], #1
        ldr     r4, [r0], #4
        INPUT   r2, r4
5:      cmp     r1, r3
        bne     4b
        ldm     lr, {r4-r7}
        ldr     r2, [sp, #SUMS_END]
        sub     r8, r8, r9, lsl #8
        sub     r9, r9, r10, lsl #8
        sub     r10, r10, r11, lsl #8
        add     r4, r4, r8
        add     r5, r5, r9
        add     r6, r6, r10
        add     r7, r7, r11
        stm     lr!, {r4-r7}
        cmp     lr, r2
        bne     1b
        add     sp, sp, #FRAME
        pop     {r4-r11, pc}
        .size   \name, . - \name
        .endm

#endif
#endif
