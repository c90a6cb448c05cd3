/* im2colbytes4.S - 4 groups of taps, weights of a byte. */
#if defined(__ARM_FEATURE_MVE)
#include "im2col_mve.h"

        BLOCKS  mcugen1_im2colbytes4, exactly=4
#endif
