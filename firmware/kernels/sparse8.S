/* sparse8.S - strips of 8 words. */
#include "sparse_cores.h"

#if defined(MCUGEN_SPARSE_STRIPS) && defined(__ARM_FEATURE_MVE)
        STRIPS  mcugen1_sparse8, 8, 1
#endif
