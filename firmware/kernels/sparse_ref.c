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

/* Runs a channel's program for the word y; x is the word from which its offsets count. Returns the next program. */
static const uint16_t *execute(const struct mcugen_sparse *k, const uint16_t *program, const int32_t *tail,
                               const uint8_t *x, uint8_t *y)
{
    int32_t sum[4] = {0, 0, 0, 0};
    int32_t wide[4] = {0, 0, 0, 0};
    uint32_t token = 1, next = *program++;

    for (;;) {
        if (token - 1 < MOST_ADDED) {
            for (; token > 0; token--) {
                for (uint32_t i = 0; i < 4; i++) {
                    sum[i] += x[4 * next + i];
                }
                next = *program++;
            }
        } else if (token == NEGATE) {
            const int16_t from = (int16_t)*program++;

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
            return program;
        }
        token = *program++;
    }
}

MCUGEN_WEAK void mcugen1_sparse_ref(const struct mcugen_sparse *k, const void *x, void *y, void *scratch)
{
    struct mcugen_sparse_decoder decoder = {{0, 0}, k->weights, 0, 0, -16, 0};
    const uint16_t *program = k->weights;

    if (k->decode != NULL) {
        decoder.tails = k->packing + MCUGEN_RICE_TAILS;
    }
    for (uint32_t o = 0; o < k->out.channels; o++) {
        if (k->decode != NULL) {
            program = k->decode(k, &decoder, scratch);
        }
        const int32_t *tail = k->decode != NULL ? decoder.tail : k->tails + 2 * o;
        const uint16_t *next = program;

        for (const uint16_t *run = k->runs; run != k->runs + 4 * k->run_count; run += 4) {
            const uint8_t *from = (const uint8_t *)x + 4 * run[0];
            uint8_t *to = (uint8_t *)y + 4 * (k->out.plane * o + run[1]);

            for (uint32_t i = 0; i < run[2]; i++) {
                next = execute(k, program, tail, from + 4 * k->step * i, to + 4 * i);
            }
        }
        program = next;
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
