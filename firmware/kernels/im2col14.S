/* im2col14.S - 14 pairs of taps. */
#if defined(__ARM_FEATURE_DSP)
#include "im2col_pairs.h"

        ROWS    mcugen1_im2col14, EXACTLY, 14
#endif
