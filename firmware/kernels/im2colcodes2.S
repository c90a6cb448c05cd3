/* im2colcodes2.S - 2 groups of taps, weights of two bits. */
#if defined(__ARM_FEATURE_MVE)
#include "im2col_mve.h"

        BLOCKS  mcugen1_im2colcodes2, codes=1, exactly=2
#endif
