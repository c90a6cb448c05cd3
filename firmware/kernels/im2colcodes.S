/* im2colcodes.S - any number of groups of taps, weights of two bits. */
#if defined(__ARM_FEATURE_MVE)
#include "im2col_mve.h"

        BLOCKS  mcugen1_im2colcodes, codes=1
#endif
