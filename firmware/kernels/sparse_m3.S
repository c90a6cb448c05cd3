/* sparse_m3.S - channels and runs of strips, for Armv7-M and Armv8-M Mainline without the DSP extension. */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_FEATURE_DSP)
#include "sparse_m3.h"
#include "sparse_strips.h"

        LAYER   mcugen1_sparse_m3
#endif
