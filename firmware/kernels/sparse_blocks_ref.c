/* sparse_blocks_ref.c - groups of ten blocks of three weights to a channel's program, in C. */
#include "sparse_blocks.h"
#include "sparse_scratch.h"

#define WEIGHTS 30U /* of a group */
#define END_OF_GROUP 0x40000000U

/* The next group: a bit for each weight, the first is bit 0, and above them END_OF_GROUP. */
static uint32_t next_group(struct mcugen_sparse_decoder *d, uint32_t code)
{
    static const uint8_t blocks[2][32] = {{MCUGEN_BLOCKS_FIRST}, {MCUGEN_BLOCKS_SECOND}};
    uint32_t group = 0;

    for (uint32_t at = 0; at < WEIGHTS; at += 3U) {
        mcugen_sparse_refill(d);
        const uint32_t block = blocks[code >> 1][d->bits >> 27];

        group |= (block & 7U) << at;
        mcugen_sparse_drop(d, block >> 3);
    }
    return END_OF_GROUP | (((code & 1U) != 0U) ? group ^ (END_OF_GROUP - 1U) : group);
}

/* d->rest: what remains of a group. */
MCUGEN_WEAK const uint16_t *mcugen1_sparse_blocks_ref(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d,
                                                      void *scratch)
{
    const uint16_t *const p = k->packing;
    const uint32_t channels = p[MCUGEN_RICE_CHANNELS];
    const uint32_t plane = p[MCUGEN_RICE_PLANE];
    const uint32_t code = p[MCUGEN_RICE_K];
    struct mcugen_sparse_writer list = mcugen_sparse_begin(k, scratch);
    struct mcugen_sparse_decoder now; /* a copy, for registers */
    uint32_t tap = 0;
    uint32_t group = (uint32_t)d->rest;

    now = *d;
    for (uint32_t row = p[MCUGEN_RICE_ROWS]; row > 0U; row--) {
        for (uint32_t column = p[MCUGEN_RICE_COLUMNS]; column > 0U; column--) {
            uint32_t offset = tap;

            for (uint32_t channel = channels; channel > 0U; channel--) {
                if (group <= 1U) {
                    group = next_group(&now, code);
                }
                if ((group & 1U) != 0U) {
                    mcugen_sparse_refill(&now);
                    if ((now.bits >> 31) != 0U) {
                        mcugen_sparse_minus(&list, (uint16_t)offset);
                    } else {
                        mcugen_sparse_plus(&list, (uint16_t)offset);
                    }
                    mcugen_sparse_drop(&now, 1);
                }
                group >>= 1;
                offset += plane;
            }
            tap += p[(column > 1U) ? MCUGEN_RICE_COLUMN : MCUGEN_RICE_ROW];
        }
    }
    *d = now;
    d->rest = (int32_t)group;
    return mcugen_sparse_end(&list, k, d);
}
