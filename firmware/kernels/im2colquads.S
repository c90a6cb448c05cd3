/* im2colquads.S - any number of quads of taps. */
#if defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_FEATURE_DSP)
#if __ARM_ARCH_ISA_THUMB == 2
#include "im2col_m3.h"
#else
#include "im2col_m0.h"
#endif

        ROWS    mcugen1_im2colquads
#endif
