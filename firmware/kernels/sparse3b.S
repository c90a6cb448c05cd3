/* sparse3b.S - strips of 3 words, by programs of bytes. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_STRIPS
        STRIPS  mcugen1_sparse3b, 3, 1, 1
#endif
