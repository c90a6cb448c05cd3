/* im2col20.S - 1 to 20 pairs of taps. */
#if defined(__ARM_FEATURE_DSP)
#include "im2col_pairs.h"

        ROWS    mcugen1_im2col20, 20, 0
#endif
