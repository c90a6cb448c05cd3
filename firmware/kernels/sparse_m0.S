/* sparse_m0.S - channels and runs of strips, for Armv6-M and Armv8-M Baseline. */
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#include "sparse_m0.h"

        LAYER   mcugen1_sparse_m0
#endif
