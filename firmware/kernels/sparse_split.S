/* sparse_split.S - channels whose sums take 32 bits, tokens 20, 21 and 22, for strips of all widths. */
#include "sparse_cores.h"

#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_FEATURE_MVE)

/* 32-bit sums = sums, sums = 0; by this name a model asks for all of them. */
        FUNCTION mcugen1_sparse_split, mcugen1_sparse_split
        BY_WORDS WORD_WIDE_SET, wide=1
        ldr     pc, [r1, #NEXT]
        .size   mcugen1_sparse_split, . - mcugen1_sparse_split

        FUNCTION mcugen1_sparse_split_add, mcugen1_sparse_split  /* 32-bit sums += sums, sums = 0 */
        BY_WORDS WORD_WIDE_ADD, wide=1
        ldr     pc, [r1, #NEXT]
        .size   mcugen1_sparse_split_add, . - mcugen1_sparse_split_add

        FUNCTION mcugen1_sparse_split_end, mcugen1_sparse_split  /* the end */
        LOAD_WIDE_TAIL
        BY_WORDS WORD_WIDE_END, wide=1
        TO_CLAMP
        .size   mcugen1_sparse_split_end, . - mcugen1_sparse_split_end
#endif
