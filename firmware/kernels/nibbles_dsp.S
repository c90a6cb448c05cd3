/* nibbles_dsp.S - channels and runs of strips of nibbles, for cores with the DSP extension. */
#include "nibbles_strips.h"

#if defined(MCUGEN_NIBBLES) && defined(__ARM_FEATURE_DSP)
        LAYER   mcugen1_nibbles_dsp, mcugen1_nibbles, mcugen1_nibbles_seal, 0, NIBBLES_PREPARE
#endif
