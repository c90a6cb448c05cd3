/* paired_m3.S - units of one channel or two, and runs of strips, for Armv7-M and Armv8-M Mainline without the DSP
 * extension. */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_FEATURE_DSP)
#include "sparse_m3.h"
#include "paired_layer.h"

        UNITS   mcugen1_paired_m3
#endif
