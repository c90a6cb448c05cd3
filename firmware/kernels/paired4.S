/* paired4.S - strips of 4 words, over programs that may be of two channels. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_PAIRS
        STRIPS  mcugen1_paired4, 4, 1, pairs=1
#endif
