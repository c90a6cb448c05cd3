/* sparse_rice_ref.c - the Rice code of a channel's weights to its program, in C. */
#include "sparse.h"

#define NEGATE 17U
#define CLEAR 18U
#define END_SHIFT 19U
#define GROUP 15U /* most offsets behind a token */

/* Sees to it that there are 16 bits. */
static inline void refill(struct mcugen_sparse_decoder *d)
{
    if (d->spare < 0) {
        d->bits |= (uint32_t)*d->weights++ << -d->spare;
        d->spare += 16;
    }
}

static inline void drop(struct mcugen_sparse_decoder *d, uint32_t n)
{
    d->bits <<= n;
    d->spare -= (int32_t)n;
}

/* How far it is to the next weight that is not 0, from the one before it; 1 for neighbours. Its sign comes next. */
static inline uint32_t distance(struct mcugen_sparse_decoder *d, uint32_t k)
{
    uint32_t high = 0;

    refill(d);
    for (; d->bits >> 31 == 0; high++) {
        drop(d, 1);
        refill(d);
    }
    drop(d, 1);
    const uint32_t low = ~d->bits >> (31 - k) >> 1;

    drop(d, k);
    return (high << k) + low + 1U;
}

static uint16_t unpack_tail(struct mcugen_sparse_decoder *d, const uint16_t *packing, uint16_t *centre)
{
    const uint32_t shift = mcugen_sparse_unpack_tail(d->tails, d->tail);

    d->tails += 3;
    *centre = packing[MCUGEN_RICE_OWN_CENTRES] ? *d->tails++ : packing[MCUGEN_RICE_CENTRE];
    return (uint16_t)(shift >= 16U ? packing[MCUGEN_RICE_END] : END_SHIFT);
}

MCUGEN_WEAK const uint16_t *mcugen1_sparse_rice_ref(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d,
                                                    void *scratch)
{
    const uint16_t *const p = k->packing;
    const int32_t channels = p[MCUGEN_RICE_CHANNELS];
    uint16_t *const middle = &((uint16_t *)scratch)[16 * p[MCUGEN_RICE_MIDDLE]];
    uint16_t *lead = &middle[-2];                       /* where the next -1 goes; above, there is room for one 1 */
    uint16_t *group = &middle[2], *rest = &middle[3]; /* the token and where the next 1 goes */
    uint16_t led = 1, first = 0;
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
            channel += (int32_t)distance(&now, p[MCUGEN_RICE_K]);
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

        drop(&now, 1);
        refill(&now);
        if (minus != 0) {
            if (led == GROUP) {
                *lead-- = GROUP;
                led = 0;
            }
            *lead-- = offset;
            led++;
        } else {
            if (rest == &group[GROUP + 1U]) {
                *group = GROUP;
                group = rest++;
            }
            *rest++ = offset;
        }
    }
    *d = now;
    d->rest = -channel - 1;

    if (rest == &group[1]) { /* no weight is 1 */
        rest = group;
    } else { /* the last 1 becomes the first, and 0 takes its place */
        first = rest[-1];
        rest[-1] = 0;
        *group = (uint16_t)(rest - group - 1);
    }
    middle[-1] = first;
    middle[0] = NEGATE;
    *rest = unpack_tail(d, p, &middle[1]);

    if (lead == &middle[-2]) { /* no weight is -1: any pixel, the first 1, sums = 0 */
        middle[-3] = 0;
        middle[-2] = first;
        middle[-1] = CLEAR;
        return &middle[-3];
    }
    if (led == 1) { /* a lone offset below a group: it takes the group's first, which has a token of one less */
        lead[2] = lead[3];
        lead[3] = GROUP - 1U;
    }
    if (led <= 2) {
        return &lead[1];
    }
    lead[0] = lead[1];
    lead[1] = lead[2];
    lead[2] = (uint16_t)(led - 2);
    return lead;
}
