/* sparse2b.S - strips of 2 words, by programs of bytes. */
#include "sparse_cores.h"

#if defined(MCUGEN_SPARSE_STRIPS) && !defined(__ARM_FEATURE_MVE)
        STRIPS  mcugen1_sparse2b, 2, 1, 1
#endif
