/* paired2x2.S - the same over every second word of x. */
#include "sparse_cores.h"

#ifdef MCUGEN_SPARSE_PAIRS
        STRIPS  mcugen1_paired2x2, 2, 2, pairs=1
#endif
