/* im2colcodes1.S - 1 group of taps, weights of two bits. */
#if defined(__ARM_FEATURE_MVE)
#include "im2col_mve.h"

        BLOCKS  mcugen1_im2colcodes1, codes=1, exactly=1
#endif
