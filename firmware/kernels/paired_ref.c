/* paired_ref.c - the definition in C. Clear before fast: a word, that is four pixels, at a time. */
#include "paired.h"

#define MOST_ADDED 16U
#define NEGATE 17U
#define CLEAR 18U
#define WIDE_SET 20U
#define WIDE_ADD 21U
#define END_LONG 24U
#define KEEP 29U
#define COMBINE 30U
#define END_FIRST 31U
#define END_FIRST_LIMITS 32U
#define END_FIRST_WIDE 33U

/* A pixel of each word, in the first or the second of a unit's channels. */
struct channel {
    int32_t tail[2];
    uint8_t *y;
};

static uint8_t rounded(const struct mcugen_paired *k, const int32_t *tail, int32_t sum, uint32_t end)
{
    const int64_t exact = (int64_t)sum * (int16_t)tail[0] + tail[1];
    const int64_t v = (end == END_LONG ? exact : (int32_t)(uint32_t)exact) >> (tail[0] >> 16); /* else modulo 2^32 */

    return (uint8_t)((v < k->lo) ? k->lo : ((v > k->hi) ? k->hi : v));
}

/* Runs a unit's program for the word `at` of y; x is the word from which its offsets count. Returns its end. */
static const uint16_t *run_pair(const struct mcugen_paired *k, const uint16_t *program, const struct channel *unit,
                                const uint8_t *x, uint32_t at)
{
    int32_t sum[4] = {0, 0, 0, 0};
    int32_t wide[4] = {0, 0, 0, 0};
    int32_t kept[4] = {0, 0, 0, 0};
    uint32_t token = 1U, next = *program++;

    for (;;) {
        if ((token - 1U) < MOST_ADDED) {
            for (; token > 0U; token--) {
                for (uint32_t i = 0U; i < 4U; i++) {
                    sum[i] += x[4U * next + i];
                }
                next = *program++;
            }
        } else if (token == NEGATE) {
            const int16_t from = (int16_t)*program++;

            for (uint32_t i = 0U; i < 4U; i++) {
                sum[i] = from - sum[i];
            }
        } else if (token == CLEAR) {
            for (uint32_t i = 0U; i < 4U; i++) {
                sum[i] = 0;
            }
        } else if ((token == WIDE_SET) || (token == WIDE_ADD)) { /* before the first, wide is 0 */
            for (uint32_t i = 0U; i < 4U; i++) {
                wide[i] += (int16_t)sum[i];
                sum[i] = 0;
            }
        } else if ((token == KEEP) || (token == COMBINE)) {
            for (uint32_t i = 0U; i < 4U; i++) {
                kept[i] = sum[i] + ((token == COMBINE) ? 2 * kept[i] : 0);
            }
        } else if ((token >= END_FIRST) && (token <= END_FIRST_WIDE)) { /* wide is 0 for all but token 33 */
            for (uint32_t i = 0U; i < 4U; i++) {
                unit[1].y[4U * at + i] = rounded(k, unit[1].tail, wide[i] + (int16_t)sum[i], token);
                sum[i] = kept[i];
                wide[i] = 0;
            }
        } else { /* an end: wide is 0 for all but tokens 22 and 24 */
            for (uint32_t i = 0U; i < 4U; i++) {
                unit[0].y[4U * at + i] = rounded(k, unit[0].tail, wide[i] + (int16_t)sum[i], token);
            }
            return program;
        }
        token = *program++;
    }
}

MCUGEN_WEAK void mcugen1_paired_ref(const struct mcugen_paired *k, const void *x, void *y, void *scratch)
{
    const uint16_t *program = k->weights, *of = k->units;
    struct mcugen_sparse_decoder decoder = {{0, 0}, k->weights, NULL, 0, -16, 0};

    for (uint32_t u = 0U; u < k->unit_count; u++) {
        struct channel unit[2] = {{{0, 0}, y}, {{0, 0}, y}};
        const uint32_t pair = (uint32_t)of[MCUGEN_UNIT_CHANNEL] >> 15;
        const uint16_t *next;

        if (k->decode != NULL) {
            program = k->decode(k, &decoder, pair, scratch);
        }
        next = program;
        for (uint32_t i = 0U; i <= pair; i++) {
            const uint32_t number = of[MCUGEN_UNIT_CHANNEL];

            (void)mcugen_sparse_unpack_tail(&of[MCUGEN_UNIT_TAIL], unit[i].tail);
            unit[i].y = &((uint8_t *)y)[4U * k->out.plane * (number & ~(uint32_t)MCUGEN_UNIT_PAIR)];
            of = &of[MCUGEN_UNIT];
        }
        for (const uint16_t *run = k->runs; run != &k->runs[4U * k->run_count]; run = &run[4]) {
            const uint8_t *from = &((const uint8_t *)x)[4U * run[0]];

            for (uint32_t i = 0U; i < run[2]; i++) {
                next = run_pair(k, program, unit, &from[4U * k->step * i], run[1] + i);
            }
        }
        program = next;
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
