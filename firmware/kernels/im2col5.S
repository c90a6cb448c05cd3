/* im2col5.S - 5 pairs of taps. */
#if defined(__ARM_FEATURE_DSP)
#include "im2col_pairs.h"

        ROWS    mcugen1_im2col5, EXACTLY, 5
#endif
