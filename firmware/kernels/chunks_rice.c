/* chunks_rice.c - the Rice code of a channel's weights to its program: two lists, by chunks_rice_m0.S, then chunks. */
#include "chunks.h"
#include "sparse_scratch.h"

#define MOST 16U /* entries behind a token */
#define STORED(token) ((2U * (token)) + 2U)
#define TOTAL_SET STORED(18U)
#define TOTAL_ADD STORED(20U)
#define MINUS 2U /* more for a chunk that is taken away */
#define LONG 8U  /* more where 16 more entries follow */
#define END_TOTAL STORED(26U)

/* n entries, 1 to 17, the first in front of their token, as they are loaded. Returns where the next one goes. */
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
uint16_t *mcugen1_chunks_run(uint16_t *to, const uint16_t *from, uint32_t token, uint32_t n);
#else
static uint16_t *mcugen1_chunks_run(uint16_t *to, const uint16_t *from, uint32_t token, uint32_t n)
{
    to[0] = from[0];
    to[1] = (uint16_t)token;
    for (uint32_t i = 1; i < n; i++) {
        to[i + 1U] = from[i];
    }
    return &to[n + 1U];
}
#endif

static uint16_t *chunks_add(uint16_t *to, const uint16_t *from, uint32_t n)
{
    for (; n > MOST; n -= MOST) {
        to = mcugen1_chunks_run(to, from, STORED(MOST), MOST);
        from = &from[MOST];
    }
    return (n > 0U) ? mcugen1_chunks_run(to, from, STORED(n), n) : to;
}

/* The first list of a chunk; token: of the chunk before, or 0 if there is none. */
static uint16_t *chunks_begin(uint16_t *to, const uint16_t *from, uint32_t n, uint32_t token)
{
    uint32_t first = 1;

    if (token == 0U) {
        *to++ = *from;
    } else if (n > MOST) {
        first = MOST + 1U;
        to = mcugen1_chunks_run(to, from, token + LONG, first);
    } else {
        to = mcugen1_chunks_run(to, from, token, first);
    }
    return (n > first) ? chunks_add(to, &from[first], n - first) : to;
}

/* What of n remains for a last chunk, 1 .. room, or 0 if n is. */
static uint32_t chunks_last(uint32_t n, uint32_t room)
{
    while (n > room) {
        n -= room;
    }
    return n;
}

struct list {
    const uint16_t *from;
    uint32_t count;
};

/* As divide() of mcugen/kernels/chunks.py. */
static void chunks_write(uint16_t *to, const struct list *added, const struct list *taken, uint32_t room,
                         uint32_t highest)
{
    const uint16_t *from = added->from, *end;
    const uint32_t last = chunks_last(taken->count, room), rest = chunks_last(added->count, room);
    const uint32_t one = (added->count + taken->count <= room) ? 1U : 0U;
    uint32_t token = 0;

    for (end = &from[added->count - rest]; from != end; from = &from[room]) {
        to = chunks_begin(to, from, room, token);
        token = (token == 0U) ? TOTAL_SET : TOTAL_ADD;
    }
    const uint16_t *other = taken->from;

    for (end = &other[taken->count - last]; other != end; other = &other[room]) {
        to = chunks_begin(to, other, room, token);
        token = ((token == 0U) ? TOTAL_SET : TOTAL_ADD) + MINUS;
    }
    if (last > 0U) {
        to = chunks_begin(to, other, last, token);
        if ((rest + last <= room) && ((one != 0U) || (added->count > room))) { /* both in one chunk */
            const uint32_t some = (rest < MOST) ? rest : MOST;
            uint16_t *const behind = mcugen1_chunks_run(&to[2], from, STORED(some), some);

            to[0] = from[0];
            to[1] = STORED(NEGATE);
            to[2] = (uint16_t)(257U * highest * last);
            to = chunks_add(behind, &from[some], rest - some);
        } else {
            to = chunks_begin(to, from, rest, ((token == 0U) ? TOTAL_SET : TOTAL_ADD) + MINUS);
        }
    } else if (rest > 0U) {
        to = chunks_begin(to, from, rest, token);
    } else {
        *to++ = 0; /* any pixel, times 0 */
    }
    to[0] = 0;
    to[1] = (uint16_t)((one != 0U) ? STORED(0U) : END_TOTAL);
}

/* Where lists begin: so many times 32 bytes behind the first of scratch whose address is a multiple of 32. */
static uint16_t *middle_of(const struct mcugen_chunks *k, uint16_t *scratch)
{
    const uint32_t bytes = 0U - (uint32_t)(uintptr_t)scratch;

    return &scratch[(bytes % 32U) / 2U + 16U * k->packing[MCUGEN_RICE_MIDDLE]];
}

#if !defined(__ARM_ARCH_6M__) && !defined(__ARM_ARCH_8M_BASE__)
MCUGEN_WEAK const uint16_t *mcugen1_chunks_lists(const struct mcugen_chunks *k, struct mcugen_sparse_decoder *d,
                                                 void *scratch, const uint16_t **end)
{
    uint16_t *minus, *plus;

    mcugen_sparse_lists(k->packing, d, middle_of(k, (uint16_t *)scratch), &minus, &plus);
    *end = plus;
    return minus;
}
#endif

MCUGEN_WEAK const uint16_t *mcugen1_chunks_rice(const struct mcugen_chunks *k, struct mcugen_sparse_decoder *d,
                                                void *scratch)
{
    const uint16_t *const p = k->packing, *end;
    const uint16_t *const middle = middle_of(k, (uint16_t *)scratch);
    const uint16_t *const minus_list = mcugen1_chunks_lists(k, d, scratch, &end);
    const struct list minus = {minus_list, (uint32_t)(middle - minus_list)};
    const struct list plus = {middle, (uint32_t)(end - middle)};
    const uint32_t room = p[MCUGEN_CHUNKS_ROOM], highest = p[MCUGEN_CHUNKS_HIGHEST];

    if (plus.count >= minus.count) {
        chunks_write((uint16_t *)scratch, &plus, &minus, room, highest);
    } else {
        chunks_write((uint16_t *)scratch, &minus, &plus, room, highest);
    }
    d->tail[0] = (int32_t)(d->tails[0] | ((uint32_t)d->tails[1] << 16));
    d->tail[1] = (int32_t)(d->tails[2] | ((uint32_t)d->tails[3] << 16));
    d->tails = &d->tails[4];
    return (const uint16_t *)scratch;
}
