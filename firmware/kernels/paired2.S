/* paired2.S - strips of 2 words, over programs that may be of two channels. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_PAIRS
        STRIPS  mcugen1_paired2, 2, 1, pairs=1
#endif
