/* sparse5.S - strips of 5 words. */
#include "sparse_cores.h"

#if defined(MCUGEN_SPARSE_STRIPS) && defined(__ARM_FEATURE_MVE)
        STRIPS  mcugen1_sparse5, 5, 1
#endif
