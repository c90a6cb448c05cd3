/* sparse_blocks.c - the decoder of blocks where neither sparse_blocks_thumb2.S nor sparse_blocks_m0.S has one. */
#include "sparse.h"

#if !(defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2) && !defined(__ARM_ARCH_6M__) && \
    !defined(__ARM_ARCH_8M_BASE__)
MCUGEN_WEAK const uint16_t *mcugen1_sparse_blocks(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d,
                                                  void *scratch)
{
    return mcugen1_sparse_blocks_ref(k, d, scratch);
}
#endif
