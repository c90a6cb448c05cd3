/* sparse_ref.c - the definition in C. Clear before fast: a word, that is four pixels, at a time. */
#include "sparse.h"

#include <stddef.h>

#define MOST_ADDED 16U
#define NEGATE 17U
#define CLEAR 18U
#define WIDE_SET 20U
#define WIDE_ADD 21U
#define END_LONG 24U

static uint8_t finish(const struct mcugen_sparse *k, const int32_t *tail, int32_t sum, uint32_t end)
{
    const int64_t exact = (int64_t)sum * (int16_t)tail[0] + tail[1];
    const int64_t v = (end == END_LONG ? exact : (int32_t)(uint32_t)exact) >> (tail[0] >> 16); /* else modulo 2^32 */

    return (uint8_t)(v < k->lo ? k->lo : v > k->hi ? k->hi : v);
}

/* A program, and how many of its halfwords or bytes have been read. */
struct reader {
    const uint16_t *program;
    uint32_t at;
    uint32_t plane; /* 0: of halfwords */
};

static uint32_t take(struct reader *r)
{
    const uint32_t at = r->at++;

    return (r->plane == 0U) ? r->program[at] : (((uint32_t)r->program[at >> 1] >> (8U * (at & 1U))) & 255U);
}

static uint32_t take_offset(struct reader *r)
{
    return take(r) * ((r->plane == 0U) ? 1U : r->plane);
}

static int16_t take_centre(struct reader *r)
{
    const uint32_t low = take(r);

    return (int16_t)((r->plane == 0U) ? low : (low | (take(r) << 8)));
}

/* Runs a channel's program for the word y; x is the word from which its offsets count. */
static void execute(const struct mcugen_sparse *k, struct reader *r, const int32_t *tail, const uint8_t *x, uint8_t *y)
{
    int32_t sum[4] = {0, 0, 0, 0};
    int32_t wide[4] = {0, 0, 0, 0};
    uint32_t token = 1, next = take_offset(r);

    for (;;) {
        if (token - 1 < MOST_ADDED) {
            for (; token > 0; token--) {
                for (uint32_t i = 0; i < 4; i++) {
                    sum[i] += x[4 * next + i];
                }
                next = take_offset(r);
            }
        } else if (token == NEGATE) {
            const int16_t from = take_centre(r);

            for (uint32_t i = 0; i < 4; i++) {
                sum[i] = from - sum[i];
            }
        } else if (token == CLEAR) {
            for (uint32_t i = 0; i < 4; i++) {
                sum[i] = 0;
            }
        } else if (token == WIDE_SET || token == WIDE_ADD) { /* before the first, wide is 0 */
            for (uint32_t i = 0; i < 4; i++) {
                wide[i] += (int16_t)sum[i];
                sum[i] = 0;
            }
        } else { /* an end: wide is 0 for all but tokens 22 and 24 */
            for (uint32_t i = 0; i < 4; i++) {
                y[i] = finish(k, tail, wide[i] + (int16_t)sum[i], token);
            }
            return;
        }
        token = take(r);
    }
}

MCUGEN_WEAK void mcugen1_sparse_ref(const struct mcugen_sparse *k, const void *x, void *y, void *scratch)
{
    struct mcugen_sparse_decoder decoder;
    struct reader program;

    decoder = mcugen_sparse_start(k);
    program.program = k->weights;
    program.at = 0;
    program.plane = k->x_plane;
    for (uint32_t o = 0; o < k->out.channels; o++) {
        const uint16_t *decoded;
        const int32_t *const tail = mcugen_sparse_channel(k, o, &decoder, scratch, &decoded);

        if (decoded != NULL) {
            program.program = decoded;
            program.at = 0;
        }
        struct reader next = program;

        for (const uint16_t *run = k->runs; run != k->runs + 4 * k->run_count; run += 4) {
            const uint8_t *from = (const uint8_t *)x + 4 * run[0];
            uint8_t *to = (uint8_t *)y + 4 * (k->out.plane * o + run[1]);

            for (uint32_t i = 0; i < run[2]; i++) {
                next = program;
                execute(k, &next, tail, from + 4 * k->step * i, to + 4 * i);
            }
        }
        program = next;
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
