/* nibbles_m3.S - channels and runs of strips of nibbles, for Armv7-M and Armv8-M Mainline without the DSP extension. */
#include "nibbles_strips.h"

#if defined(MCUGEN_NIBBLES) && !defined(__ARM_FEATURE_DSP)
        LAYER   mcugen1_nibbles_m3, mcugen1_nibbles, mcugen1_nibbles_seal, 0, NIBBLES_PREPARE
#endif
