/* im2colbytes2.S - 2 groups of taps, weights of a byte. */
#if defined(__ARM_FEATURE_MVE)
#include "im2col_mve.h"

        BLOCKS  mcugen1_im2colbytes2, exactly=2
#endif
