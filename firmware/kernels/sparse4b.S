/* sparse4b.S - strips of 4 words, by programs of bytes. */
#include "sparse_cores.h"

#if defined(MCUGEN_SPARSE_STRIPS) && !defined(__ARM_FEATURE_MVE)
        STRIPS  mcugen1_sparse4b, 4, 1, 1
#endif
