/* sparse4.S - strips of 4 words. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_STRIPS
        STRIPS  mcugen1_sparse4, 4, 1
#endif
