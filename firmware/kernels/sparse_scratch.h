/* sparse_scratch.h - decoders in C: a channel's program in scratch, from a middle downwards and upwards; a Rice code. */
#ifndef MCUGEN_SPARSE_SCRATCH_H
#define MCUGEN_SPARSE_SCRATCH_H

#include "sparse.h"

#define NEGATE 17U
#define CLEAR 18U
#define END_SHIFT 19U
#define GROUP 15U /* most offsets behind a token */

struct mcugen_sparse_writer {
    uint16_t *middle;
    uint16_t *lead; /* where the next -1 goes; above, there is room for one 1 */
    uint16_t *group; /* the token */
    uint16_t *rest; /* and where the next 1 goes */
    uint16_t led;
};

static inline struct mcugen_sparse_writer mcugen_sparse_begin(const struct mcugen_sparse *k, void *scratch)
{
    uint16_t *const middle = &((uint16_t *)scratch)[16 * k->packing[MCUGEN_RICE_MIDDLE]];
    const struct mcugen_sparse_writer w = {middle, &middle[-2], &middle[2], &middle[3], 1};

    return w;
}

static inline void mcugen_sparse_minus(struct mcugen_sparse_writer *w, uint16_t offset)
{
    if (w->led == GROUP) {
        *w->lead-- = GROUP;
        w->led = 0;
    }
    *w->lead-- = offset;
    w->led++;
}

static inline void mcugen_sparse_plus(struct mcugen_sparse_writer *w, uint16_t offset)
{
    if (w->rest == &w->group[GROUP + 1U]) {
        *w->group = GROUP;
        w->group = w->rest++;
    }
    *w->rest++ = offset;
}

/* Takes the channel's tail, to d->tail, and returns the program. */
static inline const uint16_t *mcugen_sparse_end(struct mcugen_sparse_writer *w, const struct mcugen_sparse *k,
                                                struct mcugen_sparse_decoder *d)
{
    const uint16_t *const p = k->packing;
    const uint32_t shift = mcugen_sparse_unpack_tail(d->tails, d->tail);
    uint16_t *const middle = w->middle, *const lead = w->lead;
    uint16_t first = 0;

    if (w->rest == &w->group[1]) { /* no weight is 1 */
        w->rest = w->group;
    } else { /* the last 1 becomes the first, and 0 takes its place */
        first = w->rest[-1];
        w->rest[-1] = 0;
        *w->group = (uint16_t)(w->rest - w->group - 1);
    }
    middle[-1] = first;
    middle[0] = NEGATE;
    middle[1] = p[MCUGEN_RICE_CENTRE];
    if (p[MCUGEN_RICE_OWN_CENTRES] != 0U) {
        middle[1] = d->tails[3];
    }
    d->tails = &d->tails[(p[MCUGEN_RICE_OWN_CENTRES] != 0U) ? 4 : 3];
    *w->rest = (uint16_t)((shift >= 16U) ? p[MCUGEN_RICE_END] : END_SHIFT);

    if (lead == &middle[-2]) { /* no weight is -1: any pixel, the first 1, sums = 0 */
        middle[-3] = 0;
        middle[-2] = first;
        middle[-1] = CLEAR;
        return &middle[-3];
    }
    if (w->led == 1U) { /* a lone offset below a group: it takes the group's first, which has a token of one less */
        lead[2] = lead[3];
        lead[3] = GROUP - 1U;
    }
    if (w->led <= 2U) {
        return &lead[1];
    }
    lead[0] = lead[1];
    lead[1] = lead[2];
    lead[2] = (uint16_t)(w->led - 2U);
    return lead;
}

/* Sees to it that there are 16 bits. */
static inline void mcugen_sparse_refill(struct mcugen_sparse_decoder *d)
{
    if (d->spare < 0) {
        d->bits |= (uint32_t)*d->weights++ << -d->spare;
        d->spare += 16;
    }
}

static inline void mcugen_sparse_drop(struct mcugen_sparse_decoder *d, uint32_t n)
{
    d->bits <<= n;
    d->spare -= (int32_t)n;
}

/* How far it is to the next weight that is not 0, from the one before it; 1 for neighbours. A sign may come next. */
static inline uint32_t mcugen_sparse_distance(struct mcugen_sparse_decoder *d, uint32_t k)
{
    uint32_t high = 0;

    mcugen_sparse_refill(d);
    for (; d->bits >> 31 == 0; high++) {
        mcugen_sparse_drop(d, 1);
        mcugen_sparse_refill(d);
    }
    mcugen_sparse_drop(d, 1);
    const uint32_t low = ~d->bits >> (31 - k) >> 1;

    mcugen_sparse_drop(d, k);
    return (high << k) + low + 1U;
}

/* A channel's weights, as they follow in a Rice code; packing: MCUGEN_RICE_K ... */
struct mcugen_sparse_walk {
    const uint16_t *packing;
    struct mcugen_sparse_decoder now; /* a copy, for registers */
    uint32_t tap; /* the offset of channel 0 */
    int32_t column;
    int32_t row;
    int32_t channel;
    uint32_t waiting; /* 1: the channel is that of a weight which the last output channel did not have */
};

static inline struct mcugen_sparse_walk mcugen_sparse_walk_begin(const uint16_t *packing,
                                                                 const struct mcugen_sparse_decoder *d)
{
    struct mcugen_sparse_walk w;

    w.packing = packing;
    w.now = *d;
    w.tap = 0;
    w.column = packing[MCUGEN_RICE_COLUMNS];
    w.row = packing[MCUGEN_RICE_ROWS];
    w.waiting = (d->rest != 0) ? 1U : 0U;
    w.channel = (d->rest != 0) ? (-d->rest - 1) : -1;
    return w;
}

/* The next weight that is not 0, 1 or -1, and its offset; or 0 behind the last. */
static inline int32_t mcugen_sparse_walk_on(struct mcugen_sparse_walk *w, uint16_t *offset)
{
    const uint16_t *const p = w->packing;
    const int32_t channels = p[MCUGEN_RICE_CHANNELS];

    if (w->waiting == 0U) {
        w->channel += (int32_t)mcugen_sparse_distance(&w->now, p[MCUGEN_RICE_K]);
    }
    w->waiting = 0;
    while (w->channel >= channels) {
        w->channel -= channels;
        w->column--;
        if (w->column > 0) {
            w->tap += p[MCUGEN_RICE_COLUMN];
        } else {
            w->column = p[MCUGEN_RICE_COLUMNS];
            w->tap += p[MCUGEN_RICE_ROW];
            w->row--;
            if (w->row == 0) {
                w->now.rest = -w->channel - 1;
                return 0;
            }
        }
    }
    const uint32_t minus = w->now.bits >> 31;

    mcugen_sparse_drop(&w->now, 1);
    mcugen_sparse_refill(&w->now);
    *offset = (uint16_t)(w->tap + ((uint32_t)w->channel * p[MCUGEN_RICE_PLANE]));
    return (minus != 0U) ? -1 : 1;
}

/* A channel's offsets in two lists: of its -1 weights from *minus up to the middle, of its 1 weights from there up to *end. */
static inline void mcugen_sparse_lists(const uint16_t *packing, struct mcugen_sparse_decoder *d, uint16_t *middle,
                                       uint16_t **minus, uint16_t **end)
{
    struct mcugen_sparse_walk weights = mcugen_sparse_walk_begin(packing, d);
    uint16_t offset = 0;

    *minus = middle;
    *end = middle;
    for (int32_t w = mcugen_sparse_walk_on(&weights, &offset); w != 0; w = mcugen_sparse_walk_on(&weights, &offset)) {
        if (w < 0) {
            *--*minus = offset;
        } else {
            *(*end)++ = offset;
        }
    }
    *d = weights.now;
}

#endif
