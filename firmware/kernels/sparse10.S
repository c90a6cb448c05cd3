/* sparse10.S - strips of 10 words. */
#include "sparse_cores.h"

#if defined(MCUGEN_SPARSE_STRIPS) && defined(__ARM_FEATURE_MVE)
        STRIPS  mcugen1_sparse10, 10, 1
#endif
