/* im2colcodes4.S - 4 groups of taps, weights of two bits. */
#if defined(__ARM_FEATURE_MVE)
#include "im2col_mve.h"

        BLOCKS  mcugen1_im2colcodes4, codes=1, exactly=4
#endif
