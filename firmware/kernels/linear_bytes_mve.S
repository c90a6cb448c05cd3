/* linear_bytes_mve.S - four outputs at a time: linear_bytes.c with Helium.
 *
 *     r1, r2    mult, words of addend and low, of the next outputs
 *     r3, r0    their sums, where they go
 *     q4-q6     31, lo, hi in every lane
 */
/* clang-format off */
#if defined(__ARM_FEATURE_MVE)

#include "mcugen.h"

/* void mcugen1_linear_bytes(const struct mcugen_tail *tail, uint32_t first, uint32_t count, const int32_t *sums,
 *                           void *y): 17 instructions, 14 for four outputs
 */
        FUNCTION mcugen1_linear_bytes
        push    {r4, lr}
        vpush   {d8-d13}
        dlstp.32 lr, r2
        ldrd    r12, r4, [r0, #12]      /* lo, hi */
        vdup.32 q5, r12
        vdup.32 q6, r4
        vmov.i32 q4, #31
        ldrd    r4, r2, [r0]            /* mult, add */
        ldr     r0, [sp, #56]           /* y */
        add     r2, r2, r1, lsl #2
        add     r0, r0, r1
        add     r1, r4, r1, lsl #1
1:      vldrw.u32 q0, [r3], #16
        vldrh.s32 q1, [r1], #8
        vldrw.u32 q2, [r2], #16
        vmul.i32 q0, q0, q1
        vand    q3, q2, q4
        vneg.s32 q3, q3
        vshl.s32 q0, q0, q3             /* >> low */
        vshr.s32 q2, q2, #5
        vadd.i32 q0, q0, q2
        vshr.s32 q0, q0, #15
        vmax.s32 q0, q0, q5
        vmin.s32 q0, q0, q6
        vstrb.32 q0, [r0], #4
        letp    lr, 1b
        vpop    {d8-d13}
        pop     {r4, pc}
        .size   mcugen1_linear_bytes, . - mcugen1_linear_bytes
#endif
