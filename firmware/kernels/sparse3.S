/* sparse3.S - strips of 3 words. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_STRIPS
        STRIPS  mcugen1_sparse3, 3, 1
#endif
