/* sparse_rice_ref.c - the Rice code of a channel's weights to its program, in C. */
#include "sparse_scratch.h"

MCUGEN_WEAK const uint16_t *mcugen1_sparse_rice_ref(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d,
                                                    void *scratch)
{
    const uint16_t *const p = k->packing;
    const int32_t channels = p[MCUGEN_RICE_CHANNELS];
    struct mcugen_sparse_writer list = mcugen_sparse_begin(k, scratch);
    uint32_t tap = 0;                            /* the offset of channel 0 */
    int32_t column = p[MCUGEN_RICE_COLUMNS], row = p[MCUGEN_RICE_ROWS], channel = -1;
    uint32_t waiting = 0;
    struct mcugen_sparse_decoder now; /* a copy, for registers */

    now = *d;
    if (d->rest != 0) { /* the weight that the last channel did not have */
        channel = -d->rest - 1;
        waiting = 1;
    }
    for (;;) {
        if (!waiting) {
            channel += (int32_t)mcugen_sparse_distance(&now, p[MCUGEN_RICE_K]);
        }
        waiting = 0;
        while (channel >= channels) {
            channel -= channels;
            if (--column > 0) {
                tap += p[MCUGEN_RICE_COLUMN];
            } else {
                column = p[MCUGEN_RICE_COLUMNS];
                tap += p[MCUGEN_RICE_ROW];
                if (--row == 0) {
                    break;
                }
            }
        }
        if (row == 0) {
            break;
        }
        const uint16_t offset = (uint16_t)(tap + (uint32_t)channel * p[MCUGEN_RICE_PLANE]);

        const uint32_t minus = now.bits >> 31;

        mcugen_sparse_drop(&now, 1);
        mcugen_sparse_refill(&now);
        if (minus != 0) {
            mcugen_sparse_minus(&list, offset);
        } else {
            mcugen_sparse_plus(&list, offset);
        }
    }
    *d = now;
    d->rest = -channel - 1;
    return mcugen_sparse_end(&list, k, d);
}
