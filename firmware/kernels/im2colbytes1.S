/* im2colbytes1.S - 1 group of taps, weights of a byte. */
#if defined(__ARM_FEATURE_MVE)
#include "im2col_mve.h"

        BLOCKS  mcugen1_im2colbytes1, exactly=1
#endif
