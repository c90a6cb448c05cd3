/* chunks_ref.c - the definition in C. Clear before fast: a word, that is four pixels, at a time. */
#include "chunks.h"

#define NEGATE 17U
#define TOTAL_SET 18U
#define TOTAL_SUB 21U
#define LONG 4U /* more for a token with 16 more entries */
#define END_TOTAL 26U

static uint8_t finish(const struct mcugen_chunks *k, const int32_t *tail, int32_t sum)
{
    const uint32_t exact = ((uint32_t)sum * (uint32_t)(int16_t)tail[0]) + (uint32_t)tail[1]; /* modulo 2^32 */
    const int32_t v = (int32_t)exact >> (tail[0] >> 16);

    return (uint8_t)(v < k->lo ? k->lo : v > k->hi ? k->hi : v);
}

/* Runs a channel's program for the word y and returns what follows it; x is where its offsets count from. */
static const uint16_t *execute(const struct mcugen_chunks *k, const uint16_t *program, const int32_t *tail,
                               const uint8_t *x, uint8_t *y)
{
    int32_t sum[4] = {0, 0, 0, 0};
    int32_t total[4] = {0, 0, 0, 0};
    uint32_t entries = 1, next = *program++;

    for (;;) {
        for (; entries > 0; entries--) {
            for (uint32_t i = 0; i < 4; i++) {
                sum[i] += x[next + i];
            }
            next = *program++;
        }
        const uint32_t token = ((uint32_t)*program++ / 2U) - 1U;

        if (token == NEGATE) {
            const int32_t from = *program++ / 257;

            for (uint32_t i = 0; i < 4; i++) {
                sum[i] = from - sum[i];
            }
        } else if ((token >= TOTAL_SET) && (token < END_TOTAL)) { /* before the first, total is 0 */
            const uint32_t more = (token > TOTAL_SUB) ? LONG : 0U;

            for (uint32_t i = 0; i < 4; i++) {
                total[i] += ((token - TOTAL_SET) % 2U != 0U) ? -sum[i] : sum[i];
                sum[i] = 0;
            }
            entries = (more != 0U) ? 17U : 1U;
        } else if ((token > 0U) && (token < NEGATE)) {
            entries = token;
        } else {
            for (uint32_t i = 0; i < 4; i++) {
                y[i] = finish(k, tail, total[i] + sum[i]);
            }
            return program;
        }
    }
}

MCUGEN_WEAK void mcugen1_chunks_ref(const struct mcugen_chunks *k, const void *x, void *y, void *scratch)
{
    struct mcugen_sparse_decoder d = {{0, 0}, k->weights, NULL, 0, -16, 0};
    const uint16_t *program = k->weights;

    if (k->decode != NULL) {
        d.tails = &k->packing[MCUGEN_RICE_TAILS];
    }
    for (uint32_t o = 0; o < k->out.channels; o++) {
        const int32_t *tail = d.tail;

        if (k->decode != NULL) {
            program = k->decode(k, &d, scratch);
        } else if (k->tails != NULL) {
            tail = &k->tails[2U * o];
        } else {
            (void)mcugen_sparse_unpack_tail(&k->packing[3U * o], d.tail);
        }
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
