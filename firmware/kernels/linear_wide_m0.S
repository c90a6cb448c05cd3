/* linear_wide_m0.S - sums to bytes as linear_wide.c has them, for Armv6-M: 29 cycles an output on the Cortex-M0+, where
 * GCC's loop takes 37. r12 is the addend.
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1 && !defined(__ARM_ARCH_ISA_ARM)

#include "linear_sums_m0.h"

        FINISH  mcugen1_linear_wide, 1
1:      ldm     r2!, {r5}
        ldm     r3!, {r4}
        movs    r6, #31
        ands    r6, r6, r5
        lsls    r4, r4, r6              /* fits 32 bits, as do products and sums */
        ldrsh   r6, [r1, r7]
        asrs    r5, r5, #5
        mov     r12, r5
        uxth    r5, r4
        asrs    r4, r4, #16
        muls    r4, r6, r4
        muls    r5, r6, r5
        asrs    r5, r5, #16
        adds    r4, r4, r5
        add     r4, r4, r12
        asrs    r4, r4, #15
        LIMIT
        strb    r4, [r0]
        NEXT    1
5:      END     mcugen1_linear_wide
#endif
