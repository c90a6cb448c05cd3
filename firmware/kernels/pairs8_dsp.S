/* pairs8_dsp.S - weights of 8 bits, four outputs at a time, for cores with the DSP extension.
 *
 * A half of a word holds a' + 256 b, a' = a + 128, for two outputs, and is multiplied as it is: SMLAD sums
 * (a' + 256 b) * x. The sum of b * x is made besides, with one product for two weights:
 *
 *     (x0 + b1) * (x1 + b0) = x0 * b0 + x1 * b1 + x0 * x1 + b0 * b1
 *
 * where SXTAB16 adds and extends in one; the last two terms are known beforehand. Then the sum of a' * x is the first less
 * 256 times the second. All of it modulo 2^32, and x + b fits 16 bits, so there is nothing to prove.
 *
 *     r0, r1    words, inputs: what is read next
 *     r2, r3    inputs 0 and 2, 1 and 3 of four, a half of a register each
 *     r4-r7     words of the four inputs, and then sums x + b
 *     r8, r9    sums of (a' + 256 b) * x, of (x0 + b1) * (x1 + b0)
 *     r10, r11  the same for c and d
 *     r12, lr   the end of the inputs, the sums
 *
 * Four inputs take 6 + 2 + 10 = 18 cycles, a block 4 * 18 + 6 = 78 of 64 products.
 */
/* clang-format off */
#if defined(__ARM_FEATURE_DSP)

#include "mcugen.h"

/* The frame, in bytes from sp. */
        .equ    X, 0
        .equ    SUMS_END, 4
        .equ    FRAME, 12       /* with 9 registers a multiple of 8 */

/* Inputs 4 * \i and on of the block. */
        .macro  INPUTS i
        ldr     r3, [r1, #4 * \i]
        ldr     r4, [r0, #16 * \i]
        ldr     r5, [r0, #16 * \i + 4]
        ldr     r6, [r0, #16 * \i + 8]
        ldr     r7, [r0, #16 * \i + 12]
        uxtb16  r2, r3
        uxtb16  r3, r3, ror #8
        smlad   r8, r4, r2, r8
        smlad   r8, r5, r3, r8
        smlad   r10, r6, r2, r10
        smlad   r10, r7, r3, r10
        sxtab16 r5, r2, r5, ror #8
        sxtab16 r4, r3, r4, ror #8
        sxtab16 r7, r2, r7, ror #8
        sxtab16 r6, r3, r6, ror #8
        smlad   r9, r4, r5, r9
        smlad   r11, r6, r7, r11
        .endm

/* const uint32_t *mcugen1_pairs8_dsp(const uint32_t *pairs, const uint8_t *x, uint32_t blocks, uint32_t groups,
 *                                    int32_t *sums) */
        FUNCTION mcugen1_pairs8_dsp
        push    {r4-r11, lr}
        ldr     lr, [sp, #36]           /* sums */
        sub     sp, sp, #FRAME
        add     r12, r1, r2, lsl #4
        add     r3, lr, r3, lsl #4
        strd    r1, r3, [sp, #X]
1:                                      /* a group */
        ldm     r0!, {r9, r11}
        ldr     r1, [sp, #X]
        mov     r8, #0
        mov     r10, #0
2:                                      /* a block */
        INPUTS  0
        INPUTS  1
        INPUTS  2
        INPUTS  3
        adds    r0, r0, #64
        adds    r1, r1, #16
        cmp     r1, r12
        bne     2b
        ldm     lr, {r4-r7}
        ldr     r2, [sp, #SUMS_END]
        sub     r8, r8, r9, lsl #8
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
        .size   mcugen1_pairs8_dsp, . - mcugen1_pairs8_dsp

/* Four inputs: their sum to r8, the products of neighbours to r9. */
        .macro  FIRST x
        uxtb16  r10, \x
        usada8  r8, \x, r11, r8
        uxtb16  \x, \x, ror #8
        smlad   r9, r10, \x, r9
        .endm

/* void mcugen1_pairs8_first_dsp(const uint8_t *x, uint32_t blocks, uint32_t *a, uint32_t *b): 26 cycles a block. */
        FUNCTION mcugen1_pairs8_first_dsp
        push    {r4-r11}
        mov     r8, #0
        mov     r9, #0
        mov     r11, #0
        add     r1, r0, r1, lsl #4
1:      ldr     r4, [r0]
        ldr     r5, [r0, #4]
        ldr     r6, [r0, #8]
        ldr     r7, [r0, #12]
        adds    r0, r0, #16
        FIRST   r4
        FIRST   r5
        FIRST   r6
        FIRST   r7
        cmp     r0, r1
        bne     1b
        ldr     r0, [r2]
        ldr     r1, [r3]
        add     r0, r0, r9, lsl #8
        sub     r0, r0, r8, lsl #7
        sub     r1, r1, r9
        str     r0, [r2]
        str     r1, [r3]
        pop     {r4-r11}
        bx      lr
        .size   mcugen1_pairs8_first_dsp, . - mcugen1_pairs8_first_dsp
#endif
