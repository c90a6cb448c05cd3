/* im2colmany.S - any number of pairs of taps, by 16. */
#if defined(__ARM_FEATURE_DSP)
#include "im2col_pairs.h"

        ROWS    mcugen1_im2colmany, ANY, 16
#endif
