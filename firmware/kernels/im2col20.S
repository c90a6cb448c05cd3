/* im2col20.S - 20 pairs of taps. */
#if defined(__ARM_FEATURE_DSP)
#include "im2col_pairs.h"

        ROWS    mcugen1_im2col20, EXACTLY, 20
#endif
