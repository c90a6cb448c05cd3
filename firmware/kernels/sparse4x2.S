/* sparse4x2.S - strips of 4 words, over every second word of x. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_STRIPS
        STRIPS  mcugen1_sparse4x2, 4, 2
#endif
