/* sparse_rice_m0.S - the Rice code of a channel's weights to its program, for Armv6-M. */
/* clang-format off */
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#include "sparse_rice_m0.h"

        FUNCTION mcugen1_sparse_rice
        RICE    1
        LEAVE
        .size   mcugen1_sparse_rice, . - mcugen1_sparse_rice
#endif
