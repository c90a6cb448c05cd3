/* dots8.h - sums of products with weights of 8 bits, by dot products of four inputs (docs/FORMAT.md, "dots8").
 *
 * A product of two words that have numbers in their halves has a dot product of two in its upper half:
 *
 *     (a + 2^16 b) * (c + 2^16 d) = a c + 2^16 (a d + b c)    modulo 2^32
 *
 * Inputs i to i + 3 less 128 are p, q, r, s and their weights wp, wq, wr, ws. The word w of weights is even + 2^8 odd,
 * and with the bytes of each half swapped it is odd + 2^8 even, where
 *
 *     even = (wq + 128) + 2^16 (wp + 128)    odd = (ws + 128) + 2^16 (wr + 128)
 *     pq = p + 2^16 q                        rs = r + 2^16 s
 *
 * No weight has to be cut out: straight * w + crossed * swapped is pq * even + rs * odd, if
 *
 *     straight = (pq - 2^8 rs) * 65537    crossed = (rs - 2^8 pq) * 65537
 *
 * because 65537 * (1 - 2^16) is 1 modulo 2^32. With centre = 2^15 - 128 * 65537 * (pq + rs) more it is
 *
 *     (p wq + r ws + 2^15) + 2^16 (p wp + q wq + r wr + s ws)
 *
 * The generator sees to |wp| + |wq| + |wr| + |ws| <= 255. As |p| is at most 128, both sums are within +-32640: the lower
 * half does not borrow, and the upper half is the dot product. What weights have beyond that is multiplied by itself.
 */
#ifndef MCUGEN_DOTS8_H
#define MCUGEN_DOTS8_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MCUGEN_DOTS8 6 /* outputs of a group */

/* Prepare count * 4 bytes of x, which has any alignment; count is at least 1. Three words for each four inputs: straight,
 * crossed, centre. */
void mcugen1_dots8_inputs_ref(const uint8_t *x, uint32_t count, uint32_t *quads);
void mcugen1_dots8_inputs_thumb(const uint8_t *x, uint32_t count, uint32_t *quads); /* every Cortex-M */

/* sums[o] = sum of what weights have beyond 255, times x, plus 128 times the sum of the others, for the next `count`
 * outputs, modulo 2^32. Returns the words behind those; count is at least 1. */
const uint32_t *mcugen1_dots8_starts_ref(const uint32_t *words, const uint8_t *x, uint32_t count, int32_t *sums);
const uint32_t *mcugen1_dots8_starts_thumb(const uint32_t *words, const uint8_t *x, uint32_t count, int32_t *sums);

/* sums[o] += sum of w[o] * (x - 128) for the next `count` outputs, modulo 2^32. Returns the words behind those. quads: as
 * they were prepared, up to end, at least one. Only the last group of the layer may have less than MCUGEN_DOTS8
 * outputs; count is at least 1. */
const uint32_t *mcugen1_dots8_ref(const uint32_t *words, const uint32_t *quads, const uint32_t *end, uint32_t count,
                                  int32_t *sums);
const uint32_t *mcugen1_dots8_thumb(const uint32_t *words, const uint32_t *quads, const uint32_t *end, uint32_t count,
                                    int32_t *sums);

static inline void mcugen1_dots8_inputs(const uint8_t *x, uint32_t count, uint32_t *quads)
{
#if defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_ARCH_ISA_ARM)
    mcugen1_dots8_inputs_thumb(x, count, quads);
#else
    mcugen1_dots8_inputs_ref(x, count, quads);
#endif
}

static inline const uint32_t *mcugen1_dots8_starts(const uint32_t *words, const uint8_t *x, uint32_t count,
                                                   int32_t *sums)
{
#if defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_ARCH_ISA_ARM)
    return mcugen1_dots8_starts_thumb(words, x, count, sums);
#else
    return mcugen1_dots8_starts_ref(words, x, count, sums);
#endif
}

static inline const uint32_t *mcugen1_dots8(const uint32_t *words, const uint32_t *quads, const uint32_t *end,
                                            uint32_t count, int32_t *sums)
{
#if defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_ARCH_ISA_ARM)
    return mcugen1_dots8_thumb(words, quads, end, count, sums);
#else
    return mcugen1_dots8_ref(words, quads, end, count, sums);
#endif
}

#ifdef __cplusplus
}
#endif

#endif
