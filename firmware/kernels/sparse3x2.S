/* sparse3x2.S - strips of 3 words, over every second word of x. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_STRIPS
        STRIPS  mcugen1_sparse3x2, 3, 2
#endif
