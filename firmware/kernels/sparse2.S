/* sparse2.S - strips of 2 words. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_STRIPS
        STRIPS  mcugen1_sparse2, 2, 1
#endif
