/* sparse12.S - strips of 12 words. */
#include "sparse_cores.h"

#if defined(MCUGEN_SPARSE_STRIPS) && defined(__ARM_FEATURE_MVE)
        STRIPS  mcugen1_sparse12, 12, 1
#endif
