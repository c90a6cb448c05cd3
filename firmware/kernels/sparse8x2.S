/* sparse8x2.S - strips of 8 words, over every second word of x. */
#include "sparse_cores.h"

#if defined(MCUGEN_SPARSE_STRIPS) && defined(__ARM_FEATURE_MVE)
        STRIPS  mcugen1_sparse8x2, 8, 2
#endif
