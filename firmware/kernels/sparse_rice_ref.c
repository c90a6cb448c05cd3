/* sparse_rice_ref.c - the Rice code of a channel's weights to its program, in C. */
#include "sparse_scratch.h"

MCUGEN_WEAK const uint16_t *mcugen1_sparse_rice_ref(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d,
                                                    void *scratch)
{
    struct mcugen_sparse_writer list = mcugen_sparse_begin(k, scratch);
    struct mcugen_sparse_walk weights = mcugen_sparse_walk_begin(k->packing, d);
    uint16_t offset = 0;

    for (int32_t w = mcugen_sparse_walk_on(&weights, &offset); w != 0; w = mcugen_sparse_walk_on(&weights, &offset)) {
        if (w < 0) {
            mcugen_sparse_minus(&list, offset);
        } else {
            mcugen_sparse_plus(&list, offset);
        }
    }
    *d = weights.now;
    return mcugen_sparse_end(&list, k, d);
}
