/* sparse1x2.S - strips of 1 word, over every second word of x. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_STRIPS
        STRIPS  mcugen1_sparse1x2, 1, 2
#endif
