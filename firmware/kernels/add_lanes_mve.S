/* add_lanes_mve.S - residual sums of words with Helium, four pixels at a time. */
/* clang-format off */
#if defined(__ARM_FEATURE_MVE)

#include "mcugen.h"

/* void mcugen1_add_words_mve(const int32_t *rule, const uint32_t *a, const uint32_t *b, uint32_t *y, uint32_t bytes)
 *
 * rule: mult_a, mult_b, add, lo, hi, -shift. 17 instructions, 10 for four pixels; y may be a or b.
 */
        FUNCTION mcugen1_add_words_mve
        push    {r4-r8, lr}
        ldr     r12, [sp, #24]
        ldm     r0, {r0, r4-r8}
        vdup.32 q2, r6
        vdup.32 q3, r7
        wlstp.32 lr, r12, 2f
1:      vldrb.u32 q0, [r1], #4
        vldrb.u32 q1, [r2], #4
        vmul.i32 q0, q0, r0
        vmla.s32 q0, q1, r4
        vadd.i32 q0, q0, r5
        vshl.s32 q0, r8
        vmax.s32 q0, q0, q2
        vmin.s32 q0, q0, q3
        vstrb.32 q0, [r3], #4
        letp    lr, 1b
2:      pop     {r4-r8, pc}
        .size   mcugen1_add_words_mve, . - mcugen1_add_words_mve
#endif
