/* sparse_rice_thumb2.S - the Rice code of a channel's weights to its program, for Armv7-M and Armv8-M Mainline. */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
#include "sparse_rice_thumb2.h"

        HOT     mcugen1_sparse_rice
        .p2align 2
        HEAD    mcugen1_sparse_rice
        RICE    1
        LEAVE
        .size   mcugen1_sparse_rice, . - mcugen1_sparse_rice
#endif
