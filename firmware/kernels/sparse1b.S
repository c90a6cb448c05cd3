/* sparse1b.S - strips of 1 word, by programs of bytes. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_STRIPS
        STRIPS  mcugen1_sparse1b, 1, 1, 1
#endif
