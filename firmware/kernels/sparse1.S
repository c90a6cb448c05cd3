/* sparse1.S - strips of 1 word. */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
#if defined(__ARM_FEATURE_DSP)
#include "sparse_dsp.h"
#else
#include "sparse_m3.h"
#endif
#include "sparse_strips.h"

        STRIPS  mcugen1_sparse1, 1, 1
#elif defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#include "sparse_m0.h"

        STRIPS  mcugen1_sparse1, 1, 1
#endif
