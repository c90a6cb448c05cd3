/* total_mve.S - sums of bytes with Helium, 16 at a time. */
/* clang-format off */
#if defined(__ARM_FEATURE_MVE)

#include "mcugen.h"

/* uint32_t mcugen1_total_mve(const void *x, uint32_t n): 3 instructions for 16 bytes */
        FUNCTION mcugen1_total_mve
        push    {r7, lr}
        mov     r2, r0
        movs    r0, #0
        wlstp.8 lr, r1, 2f
1:      vldrb.u8 q0, [r2], #16
        vaddva.u8 r0, q0
        letp    lr, 1b
2:      pop     {r7, pc}
        .size   mcugen1_total_mve, . - mcugen1_total_mve
#endif
