/* sparse2x2.S - strips of 2 words, over every second word of x. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_STRIPS
        STRIPS  mcugen1_sparse2x2, 2, 2
#endif
