/* paired_rice_ref.c - the Rice code of a unit's lists to its program, in C. */
#include "paired.h"
#include "sparse_scratch.h"

#define LISTS 8U
#define MOST_ADDED 16U

/* An offset stands before the token that adds its pixel: that of a list's first weight before what ends the list before. */
struct writer {
    uint16_t *first; /* of the program */
    uint16_t *next;
    uint16_t *group;     /* the token, or 0 where there is none yet */
    const uint16_t *ops; /* tokens that are still to be written */
    uint32_t ended;      /* lists whose tokens are to be written with the next offset */
};

static inline void add(struct writer *w, uint16_t v)
{
    *w->next = v;
    w->next++;
}

/* Begins a group: a place for its token. */
static inline void begin(struct writer *w)
{
    w->group = w->next;
    w->next++;
}

static void put(struct writer *w, uint16_t offset)
{
    if ((w->group != NULL) && (w->next == &w->group[MOST_ADDED + 1U])) {
        *w->group = MOST_ADDED;
        begin(w);
    }
    if ((w->next == w->first) && (w->ended != 0U)) { /* any pixel, then sums = 0 */
        add(w, 0);
        add(w, offset);
        add(w, CLEAR);
    } else {
        add(w, offset);
    }
    if ((w->next != &w->first[1]) && ((w->group == NULL) || (w->ended != 0U))) { /* the first one needs no token */
        if (w->group != NULL) {
            *w->group = (uint16_t)(w->next - w->group - 1);
        }
        for (; w->ended > 0U; w->ended--) {
            const uint16_t token = *w->ops;

            add(w, token);
            w->ops++;
            if (token == NEGATE) {
                add(w, *w->ops);
                w->ops++;
            }
        }
        begin(w);
    }
}

MCUGEN_WEAK const uint16_t *mcugen1_paired_rice_ref(const struct mcugen_paired *k, struct mcugen_sparse_decoder *d,
                                                    uint32_t pair, void *scratch)
{
    const uint16_t *const p = k->packing;
    const uint32_t channels = p[MCUGEN_PAIRED_CHANNELS], taps = p[MCUGEN_PAIRED_TAPS];
    const uint16_t *const offsets = &p[MCUGEN_PAIRED_OFFSETS];
    struct writer program = {scratch, scratch, NULL, &offsets[taps], 0};
    uint32_t lists = LISTS;

    if (pair == 0U) {
        lists = 2;
        program.ops = &offsets[taps + p[MCUGEN_PAIRED_ALONE]];
    }
    for (; lists > 0U; lists--) {
        uint32_t tap = 0;
        uint32_t after = mcugen_sparse_distance(d, p[MCUGEN_PAIRED_K]); /* after - 1: the channel */

        while (tap < taps) {
            if (after > channels) {
                after -= channels;
                tap++;
            } else {
                put(&program, (uint16_t)(offsets[tap] - ((channels - after) * p[MCUGEN_PAIRED_PLANE])));
                after += mcugen_sparse_distance(d, p[MCUGEN_PAIRED_K]);
            }
        }
        mcugen_sparse_refill(d);
        program.ended++;
    }
    put(&program, 0);
    return program.first;
}
