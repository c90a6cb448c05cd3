/* sparse_shift.S - the end in 32 bits, token 19, for strips of all widths. */
#include "sparse_cores.h"

#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_FEATURE_MVE)

        FUNCTION mcugen1_sparse_shift
        LOAD_WIDE_TAIL
        BY_WORDS
4:      WORD_SHIFT r10, r11
3:      WORD_SHIFT r8, r9
2:      WORD_SHIFT r6, r7
1:      WORD_SHIFT r4, r5
        TO_CLAMP
        .size   mcugen1_sparse_shift, . - mcugen1_sparse_shift
#endif
