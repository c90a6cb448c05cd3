/* sparse_long.S - the end of split channels in 64 bits, token 24, for strips of all widths. */
#include "sparse_cores.h"

#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_FEATURE_MVE)

        FUNCTION mcugen1_sparse_long
        str     r12, [sp, #AT]
        LOAD_WIDE_TAIL
        rsb     r3, lr, #32
        lsl     r0, r0, r3
        asr     lr, r1, lr
        lsl     r1, r1, r3
        BY_WORDS WORD_LONG_END, wide=1
        ldr     r12, [sp, #AT]
        TO_CLAMP
        .size   mcugen1_sparse_long, . - mcugen1_sparse_long
#endif
