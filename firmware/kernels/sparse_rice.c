/* sparse_rice.c - the decoder of the Rice code where neither sparse_rice_thumb2.S nor sparse_rice_m0.S has one. */
#include "sparse.h"

#if !(defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2) && !defined(__ARM_ARCH_6M__) && \
    !defined(__ARM_ARCH_8M_BASE__)
MCUGEN_WEAK const uint16_t *mcugen1_sparse_rice(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d,
                                                void *scratch)
{
    return mcugen1_sparse_rice_ref(k, d, scratch);
}
#endif
