/* linear_sums_mve.S - four outputs at a time: linear_sums.c with Helium, where 32 bits are enough.
 *
 *     r1        mult of the next outputs; r2, r6 their addends and shifts
 *     r3, r0    their sums, where they go
 *     q4, q5    lo, hi in every lane
 */
/* clang-format off */
#if defined(__ARM_FEATURE_MVE)

#include "mcugen.h"

        .macro  TAILS store, bytes
1:      vldrw.u32 q0, [r3], #16
        vldrh.s32 q1, [r1], #8
        vldrb.u32 q2, [r6], #4
        vmul.i32 q0, q0, q1
        vldrw.u32 q1, [r2], #16
        vneg.s32 q2, q2
        vadd.i32 q0, q0, q1
        vshl.s32 q0, q0, q2
        vmax.s32 q0, q0, q4
        vmin.s32 q0, q0, q5
        \store  q0, [r0], #4 * \bytes
        letp    lr, 1b
        vpop    {d8-d11}
        pop     {r4-r6, pc}
        .endm

/* void mcugen1_linear_sums_mve(const struct mcugen_tail *tail, uint32_t first, uint32_t count, const int32_t *sums,
 *                              void *y): 22 instructions, 12 for four outputs
 */
        FUNCTION mcugen1_linear_sums_mve
        push    {r4-r6, lr}
        vpush   {d8-d11}
        dlstp.32 lr, r2
        ldrd    r4, r5, [r0, #12]       /* lo, hi */
        vdup.32 q4, r4
        vdup.32 q5, r5
        ldrb    r12, [r0, #20]          /* bytes */
        ldrd    r4, r2, [r0]            /* mult, add */
        ldr     r6, [r0, #8]            /* shift */
        ldr     r0, [sp, #48]           /* y */
        add     r2, r2, r1, lsl #2
        add     r6, r6, r1
        mla     r0, r1, r12, r0
        add     r1, r4, r1, lsl #1
        cmp     r12, #2
        beq     2f
        bhi     4f
        TAILS   vstrb.32, 1
2:      TAILS   vstrh.32, 2
4:      TAILS   vstrw.32, 4
        .size   mcugen1_linear_sums_mve, . - mcugen1_linear_sums_mve
#endif
