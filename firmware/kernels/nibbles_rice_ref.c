/* nibbles_rice_ref.c - the Rice code of a channel's weights to its program, in C: two lists, then chunks. */
#include "nibbles.h"
#include "sparse_scratch.h"

#define MOST 16U /* entries behind a token */
#define BYTE 255U
#define SUMS_SET 20U
#define SUMS_ADD 21U
#define SUMS_SUB 22U
#define END_LIMITS 23U
#define END_SUMS 24U
#define END_SUMS_SHIFT 25U
#define END_SUMS_LIMITS 26U

struct nibbles_writer {
    uint16_t *to;
    const uint16_t *from; /* the next offset; the lists are read upwards or downwards */
    int32_t step;
};

static void nibbles_take(struct nibbles_writer *w, uint32_t n)
{
    for (; n > 0U; n--) {
        *w->to++ = *w->from;
        w->from += w->step;
    }
}

static void nibbles_take_added(struct nibbles_writer *w, uint32_t n)
{
    while (n > 0U) {
        const uint32_t some = (n < MOST) ? n : MOST;

        *w->to++ = (uint16_t)some;
        nibbles_take(w, some);
        n -= some;
    }
}

/* As chunked() of mcugen/kernels/nibbles.py, and a lone chunk; all but the end. */
static void write_chunks(struct nibbles_writer *w, uint32_t first, uint32_t second, const uint16_t *packing)
{
    const uint32_t room = (uint32_t)packing[MCUGEN_NIBBLES_END] >> 8;
    const uint32_t highest = (uint32_t)packing[MCUGEN_NIBBLES_WIDE] >> 8;
    const uint32_t more = first % room, last = (second > 0U) ? ((second - 1U) % room) + 1U : 0U;
    uint32_t centre = packing[MCUGEN_RICE_CENTRE], token = 0;
    uint16_t *centre_at = NULL;
    uint32_t negated; /* the chunk with the end of the first list is taken from a centre, and has some of the second */

    if (first + second <= room) {
        negated = (second > 0U) ? 1U : 0U;
    } else {
        negated = ((second == 0U) || ((more > 0U) && (more + last <= room))) ? 1U : 0U;
    }
    while (first + second > 0U) {
        const uint32_t of_first = (first > 0U) ? 1U : 0U, left = (first > 0U) ? first : second;
        const uint32_t lead = (left < room) ? left : room;
        uint32_t minus = 1U - of_first;

        if (of_first != 0U) {
            first -= lead;
        } else {
            second -= lead;
        }
        if (token == 0U) {
            nibbles_take(w, 1);
        } else {
            *w->to++ = (uint16_t)token;
            if (token == SUMS_SET) {
                centre_at = w->to++;
            }
        }
        nibbles_take(w, 1);
        nibbles_take_added(w, lead - 1U);
        if ((of_first & negated) != 0U && (first == 0U)) {
            const uint32_t some = (second < room - lead) ? second : (room - lead);
            const uint32_t from = (second > 0U) ? (highest * lead) : BYTE;

            *w->to++ = NEGATE;
            *w->to++ = (uint16_t)(257U * from);
            nibbles_take_added(w, some);
            second -= some;
            centre += from;
            minus = 1;
        }
        centre -= (minus != 0U) ? BYTE : 0U;
        token = (token == 0U) ? SUMS_SET : (minus != 0U) ? SUMS_SUB : SUMS_ADD;
    }
    if (centre_at != NULL) {
        *centre_at = (uint16_t)centre;
    }
}

/* Takes the channel's tail, to d->tail, and returns the end of a lone chunk. */
static uint32_t nibbles_take_tail(const uint16_t *packing, struct mcugen_sparse_decoder *d)
{
    const uint16_t *const tail = d->tails;

    if ((packing[MCUGEN_NIBBLES_WIDE] & 255U) != 0U) {
        d->tail[0] = (int32_t)(tail[0] | ((uint32_t)(tail[1] & 255U) << 16));
        d->tail[1] = (int32_t)(tail[2] | ((uint32_t)tail[3] << 16));
        d->tails = &tail[4];
        return (uint32_t)tail[1] >> 8;
    }
    const uint32_t shift = mcugen_sparse_unpack_tail(tail, d->tail);

    d->tails = &tail[3];
    return ((shift >= 16U) && (shift <= 24U)) ? (packing[MCUGEN_NIBBLES_END] & 255U) : END_SHIFT;
}

MCUGEN_WEAK const uint16_t *mcugen1_nibbles_rice_ref(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d,
                                                     void *scratch)
{
    const uint16_t *const p = k->packing;
    uint16_t *const middle = &((uint16_t *)scratch)[16 * p[MCUGEN_RICE_MIDDLE]];
    struct nibbles_writer w = {(uint16_t *)scratch, NULL, 1};
    uint16_t *list, *end;

    mcugen_sparse_lists(p, d, middle, &list, &end);
    const uint32_t minus = (uint32_t)(middle - list), plus = (uint32_t)(end - middle);
    const uint32_t one = (minus + plus <= (uint32_t)p[MCUGEN_NIBBLES_END] >> 8) ? 1U : 0U;

    *end = 0; /* what the last entry loads */
    list[-1] = 0;
    if ((one != 0U) || (minus > plus)) {
        w.from = list;
        write_chunks(&w, (minus > 0U) ? minus : plus, (minus > 0U) ? plus : 0U, p);
    } else {
        w.from = &end[-1];
        w.step = -1;
        write_chunks(&w, plus, minus, p);
    }
    if (minus + plus == 0U) { /* any pixel, sums = 0 */
        w.to[0] = 0;
        w.to[1] = 0;
        w.to[2] = CLEAR;
        w.to = &w.to[3];
    }
    const uint32_t token = nibbles_take_tail(p, d);

    if (one != 0U) {
        *w.to = (uint16_t)token;
    } else {
        *w.to = (token == END_SHIFT) ? END_SUMS_SHIFT : (token == END_LIMITS) ? END_SUMS_LIMITS : END_SUMS;
    }
    return (const uint16_t *)scratch;
}
