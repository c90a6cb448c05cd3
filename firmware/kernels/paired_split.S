/* paired_split.S - the end of the first of two channels whose sum takes 32 bits, token 33, for strips of all widths. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_PAIRS

        FUNCTION mcugen1_paired_split
        LOAD_WIDE_TAIL OTHER_SCALE, OTHER_ADD
        BY_WORDS
4:      WORD_WIDE_END r10, r11, WIDE + 48
3:      WORD_WIDE_END r8, r9, WIDE + 32
2:      WORD_WIDE_END r6, r7, WIDE + 16
1:      WORD_WIDE_END r4, r5, WIDE
        TO_CLAMP
        .size   mcugen1_paired_split, . - mcugen1_paired_split
#endif
