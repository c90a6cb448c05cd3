/* nibbles_ref.c - the definition in C. Clear before fast: a word, that is eight pixels, at a time. */
#include "nibbles.h"

#include <stddef.h>

#define LANES 8U
#define MOST_ADDED 16U
#define NEGATE 17U
#define CLEAR 18U
#define SUMS_SET 20U
#define SUMS_SUB 22U
#define END_SUMS 24U

static uint32_t nibble(const uint8_t *word, uint32_t lane)
{
    return ((uint32_t)word[lane >> 1] >> (4U * (lane & 1U))) & 15U;
}

static uint32_t finish(const struct mcugen_sparse *k, const int32_t *tail, int32_t sum)
{
    const int32_t v = (int32_t)(uint32_t)((int64_t)sum * (int16_t)tail[0] + tail[1]) >> (tail[0] >> 16);

    return (uint32_t)(v < k->lo ? k->lo : v > k->hi ? k->hi : v);
}

/* Runs a channel's program for the word y and returns its end; x is the word from which its offsets count. */
static const uint16_t *execute(const struct mcugen_sparse *k, const uint16_t *program, const int32_t *tail,
                               const uint8_t *x, uint8_t *y)
{
    uint32_t byte[LANES] = {0}, sum[LANES] = {0}; /* B and S */
    uint32_t entries = 1U, next = *program++;

    for (;;) {
        for (; entries > 0U; entries--) {
            for (uint32_t i = 0; i < LANES; i++) {
                byte[i] += nibble(&x[4U * next], i);
            }
            next = *program++;
        }
        const uint32_t token = *program++;

        if (token - 1U < MOST_ADDED) {
            entries = token;
        } else if (token == NEGATE) {
            for (uint32_t i = 0; i < LANES; i++) {
                byte[i] = (*program & 255U) - byte[i];
            }
            program++;
        } else if (token == CLEAR) {
            for (uint32_t i = 0; i < LANES; i++) {
                byte[i] = 0;
            }
        } else if (token - SUMS_SET <= SUMS_SUB - SUMS_SET) {
            for (uint32_t i = 0; i < LANES; i++) {
                const uint32_t from = (token == SUMS_SET) ? *program : sum[i];

                sum[i] = from + ((token == SUMS_SUB) ? (255U - byte[i]) : byte[i]);
                byte[i] = 0;
            }
            program += (token == SUMS_SET) ? 1 : 0;
            entries = 1U;
        } else {
            for (uint32_t i = 0; i < 4U; i++) {
                uint32_t pair[2];

                for (uint32_t j = 0; j < 2U; j++) {
                    const uint32_t b = byte[2U * i + j];
                    const uint32_t all = sum[2U * i + j] + 255U - b;

                    pair[j] = finish(k, tail, (token < END_SUMS) ? (int32_t)b : (int16_t)all);
                }
                y[i] = (uint8_t)(pair[0] | (pair[1] << 4));
            }
            return program;
        }
    }
}

MCUGEN_WEAK void mcugen1_nibbles_ref(const struct mcugen_nibbles *nibbles, const void *x, void *y, void *scratch)
{
    const struct mcugen_sparse *const k = &nibbles->layer;
    struct mcugen_sparse_decoder decoder;
    const uint16_t *program = k->weights;

    decoder = mcugen_sparse_start(k);
    for (uint32_t o = 0; o < k->out.channels; o++) {
        const uint16_t *decoded;
        const int32_t *const tail = mcugen_sparse_channel(k, o, &decoder, scratch, &decoded);
        const uint16_t *next;

        program = (decoded != NULL) ? decoded : program;
        next = program;
        for (const uint16_t *run = k->runs; run != k->runs + 4 * k->run_count; run += 4) {
            const uint8_t *from = (const uint8_t *)x + 4 * run[0];
            uint8_t *to = (uint8_t *)y + 4 * (k->out.plane * o + run[1]);

            for (uint32_t i = 0; i < run[2]; i++) {
                next = execute(k, program, tail, from + 4 * k->step * i, to + 4 * i);
            }
        }
        program = next;
    }
    mcugen1_nibbles_seal(&k->out, (uint8_t *)y);
}
