/* im2colcodes3.S - 3 groups of taps, weights of two bits. */
#if defined(__ARM_FEATURE_MVE)
#include "im2col_mve.h"

        BLOCKS  mcugen1_im2colcodes3, codes=1, exactly=3
#endif
