/* sparse_split_m0.S - channels whose sums need more than 16 bits, for Armv6-M and Armv8-M Baseline. */
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#include "sparse_m0.h"

        SPLIT
#endif
