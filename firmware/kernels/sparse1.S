/* sparse1.S - strips of 1 word. */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
#if defined(__ARM_FEATURE_DSP)
#include "sparse_dsp.h"
#else
#include "sparse_m3.h"
#endif
#include "sparse_strips.h"

        STRIPS  mcugen1_sparse1, 1, 1
#endif
