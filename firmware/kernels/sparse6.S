/* sparse6.S - strips of 6 words. */
#include "sparse_cores.h"

#if defined(MCUGEN_SPARSE_STRIPS) && defined(__ARM_FEATURE_MVE)
        STRIPS  mcugen1_sparse6, 6, 1
#endif
