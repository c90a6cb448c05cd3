/* paired1.S - strips of 1 word, over programs that may be of two channels. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_PAIRS
        STRIPS  mcugen1_paired1, 1, 1, pairs=1
#endif
