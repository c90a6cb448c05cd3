/* sparse_shift.S - the end in 32 bits, token 19, for strips of all widths. */
#include "sparse_cores.h"

#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_FEATURE_MVE)

        FUNCTION mcugen1_sparse_shift
        LOAD_WIDE_TAIL
        BY_WORDS WORD_SHIFT
        TO_CLAMP
        .size   mcugen1_sparse_shift, . - mcugen1_sparse_shift
#endif
