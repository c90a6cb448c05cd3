/* sparse_base3.c - digits of base 3, ten to a halfword, to a channel's program. */
#include "sparse_scratch.h"

#define DIGITS 10 /* of a halfword */

/* d->bits: what remains of a halfword, below its carry; d->rest: digits that are in there. */
MCUGEN_WEAK const uint16_t *mcugen1_sparse_base3(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d,
                                                 void *scratch)
{
    const uint16_t *const p = k->packing;
    const uint32_t channels = p[MCUGEN_RICE_CHANNELS], plane = p[MCUGEN_RICE_PLANE];
    const uint16_t *weights = d->weights;
    struct mcugen_sparse_writer list = mcugen_sparse_begin(k, scratch);
    uint32_t tap = 0, bits = d->bits;
    int32_t left = d->rest;

    for (uint32_t row = p[MCUGEN_RICE_ROWS]; row > 0U; row--) {
        for (uint32_t column = p[MCUGEN_RICE_COLUMNS]; column > 0U; column--) {
            uint32_t offset = tap;

            for (uint32_t channel = channels; channel > 0U; channel--) {
                if (left == 0) {
                    bits = *weights;
                    weights++;
                    left = DIGITS;
                }
                bits *= 3U;
                left--;
                if ((bits >> 17) != 0U) { /* 2 */
                    mcugen_sparse_plus(&list, (uint16_t)offset);
                } else if ((bits >> 16) == 0U) {
                    mcugen_sparse_minus(&list, (uint16_t)offset);
                } else {
                    /* a weight of 0 */
                }
                bits &= 0xFFFFU;
                offset += plane;
            }
            tap += p[(column > 1U) ? MCUGEN_RICE_COLUMN : MCUGEN_RICE_ROW];
        }
    }
    d->weights = weights;
    d->bits = bits;
    d->rest = left;
    return mcugen_sparse_end(&list, k, d);
}
