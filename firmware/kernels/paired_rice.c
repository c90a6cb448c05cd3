/* paired_rice.c - the decoder of pairs where paired_rice_thumb2.S has none. */
#include "paired.h"

#if !defined(__ARM_ARCH_ISA_THUMB) || __ARM_ARCH_ISA_THUMB != 2
MCUGEN_WEAK const uint16_t *mcugen1_paired_rice(const struct mcugen_paired *k, struct mcugen_sparse_decoder *d,
                                                uint32_t pair, void *scratch)
{
    return mcugen1_paired_rice_ref(k, d, pair, scratch);
}
#endif
