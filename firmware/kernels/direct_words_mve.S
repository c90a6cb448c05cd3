/* direct_words_mve.S - weights and limits with Helium, tail-predicated. In assembler, because GCC 12 drops stores before
 * a predicated one.
 */
/* clang-format off */
#if defined(__ARM_FEATURE_MVE)

#include "mcugen.h"

/* void mcugen1_direct_scaled_mve(const int8_t *w, uint32_t n, int32_t up, int32_t *to): to[i] = w[i] << up */
        FUNCTION mcugen1_direct_scaled_mve
        push    {r7, lr}
        wlstp.32 lr, r1, 2f
1:      vldrb.s32 q0, [r0], #4
        vshl.s32 q0, r2
        vstrw.32 q0, [r3], #16
        letp    lr, 1b
2:      pop     {r7, pc}
        .size   mcugen1_direct_scaled_mve, . - mcugen1_direct_scaled_mve

/* void mcugen1_direct_limited_mve(uint8_t *y, uint32_t n, uint32_t lo, uint32_t hi): y[i] to lo .. hi */
        FUNCTION mcugen1_direct_limited_mve
        push    {r7, lr}
        vdup.8  q1, r2
        vdup.8  q2, r3
        wlstp.8 lr, r1, 2f
1:      vldrb.u8 q0, [r0]
        vmax.u8 q0, q0, q1
        vmin.u8 q0, q0, q2
        vstrb.8 q0, [r0], #16
        letp    lr, 1b
2:      pop     {r7, pc}
        .size   mcugen1_direct_limited_mve, . - mcugen1_direct_limited_mve
#endif
