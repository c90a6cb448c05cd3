/* sparse3b.S - strips of 3 words, by programs of bytes. */
#include "sparse_cores.h"

#if defined(MCUGEN_SPARSE_STRIPS) && !defined(__ARM_FEATURE_MVE)
        STRIPS  mcugen1_sparse3b, 3, 1, 1
#endif
