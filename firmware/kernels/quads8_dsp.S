/* quads8_dsp.S - weights of 8 bits, four outputs at a time, for cores with the DSP extension, of which it needs nothing. */
#if defined(__ARM_FEATURE_DSP)
#include "quads8_thumb2.h"

        QUADS8  mcugen1_quads8_dsp
#endif
