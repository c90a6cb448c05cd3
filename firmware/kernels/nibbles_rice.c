/* nibbles_rice.c - the decoder of the Rice code where nibbles_rice_thumb2.S has none. */
#include "nibbles.h"

#if !(defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2)
MCUGEN_WEAK const uint16_t *mcugen1_nibbles_rice(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d,
                                                 void *scratch)
{
    return mcugen1_nibbles_rice_ref(k, d, scratch);
}
#endif
