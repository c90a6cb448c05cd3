/* lists8_thumb2.h - assembler macros: sums by lists of bytes, for Armv7-M and Armv8-M mainline.
 *
 *     r0        the lists: what is read next
 *     r1, r2    the block's inputs, the end of the last block
 *     r3        the sum, modulo 2^32
 *     r4-r11    places of the next eight weights in the block, then their inputs
 *     r12       24 less the weights that are left in the list
 *     lr        where the next sum goes
 */
/* clang-format off */
#ifndef MCUGEN_LISTS8_THUMB2_H
#define MCUGEN_LISTS8_THUMB2_H
#ifdef __ASSEMBLER__

#include "mcugen.h"

/* The frame, in bytes from sp. */
        .equ    X, 0
        .equ    SUMS_END, 4
        .equ    BLOCK, 8
        .equ    FRAME, 12       /* with 9 registers a multiple of 8 */

/* \op for the register of each of \n weights, of which i is the number. */
        .macro  EACH n, op
        .set    i, 0
        .irp    r, r4, r5, r6, r7, r8, r9, r10, r11
        .if     i < \n
        \op     \r
        .endif
        .set    i, i + 1
        .endr
        .endm

        .macro  PLACE r
        ldrb    \r, [r0, #i]
        .endm

        .macro  INPUT r
        ldrb    \r, [r1, \r]
        .endm

        .macro  PLUS r
        .if     i < 4
        adds    r3, r3, \r     /* 2 bytes, with a low register only */
        .else
        add     r3, r3, \r
        .endif
        .endm

        .macro  MINUS r
        .if     i < 4
        subs    r3, r3, \r
        .else
        sub     r3, r3, \r
        .endif
        .endm

/* \n of 1 to 8 weights. Loads follow one another, so each but the first takes a cycle: 3 * n + 2 cycles. */
        .macro  WEIGHTS n, op
        EACH    \n, PLACE
        .if     \n == 1
        adds    r0, r0, #1      /* a load whose address was loaded right before waits for it anyway */
        .endif
        EACH    \n, INPUT
        .if     \n > 1
        adds    r0, r0, #\n
        .endif
        EACH    \n, \op
        .endm

        .macro  REST n, op
        WEIGHTS \n, \op
        subs    r12, r12, #24
        blo     7f
        b       6f
        .endm

/* A list of r + 8 q weights: 11 cycles, and if r > 0 another 3 r + 3; if q > 0, 7, 30 q and 3 r + 4. */
        .macro  LIST op
        ldrb    r12, [r0], #1
        and     r4, r12, #7
        tbb     [pc, r4]
9:      .byte   (17f - 9b) / 2, (16f - 9b) / 2, (15f - 9b) / 2, (14f - 9b) / 2
        .byte   (13f - 9b) / 2, (12f - 9b) / 2, (11f - 9b) / 2, (8f - 9b) / 2
17:     REST    7, \op
16:     REST    6, \op
15:     REST    5, \op
14:     REST    4, \op
13:     REST    3, \op
12:     REST    2, \op
11:     WEIGHTS 1, \op
8:      subs    r12, r12, #24
        bhs     6f
7:      WEIGHTS 8, \op
        adds    r12, r12, #8
        bmi     7b
6:
        .endm

/* const uint8_t *\name(const uint8_t *lists, const struct mcugen_lists8 *from, uint32_t count, int32_t *sums)
 *
 * A block takes 7 cycles besides its lists, an output 8.
 */
        .macro  LISTS8 name
        FUNCTION \name
        push    {r4-r11, lr}
        sub     sp, sp, #FRAME
        mov     lr, r3
        add     r6, r3, r2, lsl #2
        ldm     r1, {r1, r3, r4}
        strd    r1, r6, [sp, #X]
        str     r3, [sp, #BLOCK]
        add     r2, r1, r4
1:                                      /* an output */
        movs    r3, #0
2:                                      /* a block */
        LIST    PLUS
        LIST    MINUS
        ldr     r4, [sp, #BLOCK]
        add     r1, r1, r4
        cmp     r1, r2
        bne     2b
        str     r3, [lr], #4
        ldrd    r1, r4, [sp, #X]
        cmp     lr, r4
        bne     1b
        add     sp, sp, #FRAME
        pop     {r4-r11, pc}
        .size   \name, . - \name
        .endm

#endif
#endif
