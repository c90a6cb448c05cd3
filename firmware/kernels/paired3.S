/* paired3.S - strips of 3 words, over programs that may be of two channels. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_PAIRS
        STRIPS  mcugen1_paired3, 3, 1, pairs=1
#endif
