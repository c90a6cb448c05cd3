/* sparse1b.S - strips of 1 word, by programs of bytes. */
#include "sparse_cores.h"

#if defined(MCUGEN_SPARSE_STRIPS) && !defined(__ARM_FEATURE_MVE)
        STRIPS  mcugen1_sparse1b, 1, 1, 1
#endif
