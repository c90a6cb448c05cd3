/* lists8_dsp.S - sums by lists of bytes, for cores with the DSP extension, of which it needs nothing. */
#if defined(__ARM_FEATURE_DSP)
#include "lists8_thumb2.h"

        LISTS8  mcugen1_lists8_dsp
#endif
