/* paired_split.S - the end of the first of two channels whose sum takes 32 bits, token 33, for strips of all widths. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_PAIRS

        FUNCTION mcugen1_paired_split
        LOAD_WIDE_TAIL OTHER_SCALE, OTHER_ADD
        BY_WORDS WORD_WIDE_END, wide=1
        TO_CLAMP
        .size   mcugen1_paired_split, . - mcugen1_paired_split
#endif
