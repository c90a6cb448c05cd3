/* add_lanes_m0.S - a run of words for Armv6-M, where lo is 0: 52 cycles and 5 for a pixel below 0, 8 for others, a word
 * on the Cortex-M0+; GCC's loop takes 92.
 *
 *     r0, r1    four pixels of a and of b
 *     r2, r3    a pixel
 *     r4, r5    mult_a, mult_b
 *     r6, r12   y, and where the run ends
 *     r7        shift
 *     r8, r9    add, hi
 *     r10, r11  from y to a and to b, in bytes
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1 && !defined(__ARM_ARCH_ISA_ARM)

#include "mcugen.h"

/* The byte \lane of \x in \y. */
        .macro  BYTE y, x, lane
        .if     \lane == 0
        uxtb    \y, \x
        .elseif \lane == 3
        lsrs    \y, \x, #24
        .else
        lsrs    \y, \x, #8 * \lane
        uxtb    \y, \y
        .endif
        .endm

/* y has zeros already. */
        .macro  PIXEL lane
        BYTE    r2, r0, \lane
        BYTE    r3, r1, \lane
        muls    r2, r4, r2
        muls    r3, r5, r3
        adds    r2, r2, r3
        add     r2, r2, r8
        asrs    r2, r2, r7
        bmi     2f
        cmp     r2, r9
        bhi     3\lane\()f
1\lane:
        strb    r2, [r6, #\lane]
2:
        .endm

        .macro  ABOVE lane
3\lane:
        mov     r2, r9
        b       1\lane\()b
        .endm

/* void mcugen1_add_words_m0(const struct mcugen_add_rule *r, const uint32_t *a, const uint32_t *b, uint32_t *y,
 *                           const uint32_t *end) */
        FUNCTION mcugen1_add_words_m0
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        mov     r7, r11
        push    {r4-r7}
        movs    r6, r3
        subs    r1, r1, r6
        mov     r10, r1
        subs    r2, r2, r6
        mov     r11, r2
        ldr     r1, [sp, #36]
        mov     r12, r1
        ldr     r1, [r0, #8]
        mov     r8, r1
        ldr     r1, [r0, #16]
        mov     r9, r1
        ldr     r4, [r0]
        ldr     r5, [r0, #4]
        ldr     r7, [r0, #20]
        cmp     r6, r12
        beq     5f
4:      mov     r0, r10
        mov     r1, r11
        ldr     r0, [r6, r0]
        ldr     r1, [r6, r1]
        movs    r2, #0
        str     r2, [r6]
        PIXEL   0
        PIXEL   1
        PIXEL   2
        PIXEL   3
        adds    r6, r6, #4
        cmp     r6, r12
        bne     4b
5:      pop     {r4-r7}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
        pop     {r4-r7, pc}
        ABOVE   0
        ABOVE   1
        ABOVE   2
        ABOVE   3
        .size   mcugen1_add_words_m0, . - mcugen1_add_words_m0
#endif
