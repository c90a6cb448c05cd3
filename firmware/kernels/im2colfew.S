/* im2colfew.S - 1 to 20 pairs of taps. */
#if defined(__ARM_FEATURE_DSP)
#include "im2col_pairs.h"

        ROWS    mcugen1_im2colfew, UP_TO, 20
#endif
