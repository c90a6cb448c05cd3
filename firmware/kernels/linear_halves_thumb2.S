/* linear_halves_thumb2.S - sums to elements of 2 bytes for Armv7-M and Armv8-M mainline: 14 cycles an output,
 * 20 if lo or hi is within 16 bits.
 *
 *     r0        y, of any alignment
 *     r1        the output's add << 5 | shift
 *     r2, r3    where the sums end, its sum
 *     r4, r5    its mult, that word
 *     r6, r7    lo, hi
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_FEATURE_MVE)

#include "mcugen.h"

        .macro  VALUE
        ldr     r8, [r3], #4
        ldr     r1, [r5], #4
        ldrsh   r12, [r4], #2
        mul     r8, r8, r12             /* fits 32 bits: wide is 0 */
        and     r12, r1, #31
        add     r8, r8, r1, asr #5
        asr     r8, r8, r12
        .endm

/* void mcugen1_linear_halves(const struct mcugen_tail *tail, uint32_t first, uint32_t count, const int32_t *sums,
 *                            void *y) */
        FUNCTION mcugen1_linear_halves
        push    {r4-r8, lr}
        ldrd    r4, r5, [r0]
        ldrd    r6, r7, [r0, #12]
        ldr     r0, [sp, #24]           /* y */
        add     r4, r4, r1, lsl #1
        add     r5, r5, r1, lsl #2
        add     r0, r0, r1, lsl #1
        add     r2, r3, r2, lsl #2
        movw    r12, #0x7fff
        cmp     r7, r12
        it      eq
        mvneq   r12, r12
        cmp     r6, r12
        bne     2f
1:      VALUE
        ssat    r8, #16, r8
        strh    r8, [r0], #2
        cmp     r3, r2
        bne     1b
        pop     {r4-r8, pc}
2:      VALUE
        cmp     r8, r6
        it      lt
        movlt   r8, r6
        cmp     r8, r7
        it      gt
        movgt   r8, r7
        strh    r8, [r0], #2
        cmp     r3, r2
        bne     2b
        pop     {r4-r8, pc}
        .size   mcugen1_linear_halves, . - mcugen1_linear_halves
#endif
