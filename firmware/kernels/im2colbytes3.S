/* im2colbytes3.S - 3 groups of taps, weights of a byte. */
#if defined(__ARM_FEATURE_MVE)
#include "im2col_mve.h"

        BLOCKS  mcugen1_im2colbytes3, exactly=3
#endif
