/* sparse1.S - strips of 1 word. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_STRIPS
        STRIPS  mcugen1_sparse1, 1, 1
#endif
