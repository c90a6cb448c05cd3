/* rice16_dsp.S - sums by a Rice code, for cores with the DSP extension, of which it needs nothing. */
#if defined(__ARM_FEATURE_DSP)
#include "rice16_thumb2.h"

        RICE16  mcugen1_rice16_dsp
#endif
