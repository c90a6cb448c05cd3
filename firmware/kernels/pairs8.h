/* pairs8.h - sums of products with weights of 8 bits, by pairs of outputs (docs/FORMAT.md, "pairs8").
 *
 * For each group of four outputs 0 .. 3, whose weights of input i are a, b, c, d: first two words, less the sums over
 * the group's inputs of b[i] * b[i + 1] and of d[i] * d[i + 1] for even i; then for each four inputs four words, of
 * which the lower half is
 *
 *     a[i] + 128 + 256 b[i]    a[i + 1] + 128 + 256 b[i + 1]    the same of c and d
 *
 * and the upper half that of the input two further on.
 */
#ifndef MCUGEN_PAIRS8_H
#define MCUGEN_PAIRS8_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Adds to the sums of the next 4 * groups outputs, modulo 2^32: with p, the sum of x[i] * x[i + 1] for even i,
 *
 *     sum of b * x + p          to the sums of b and d
 *     sum of (a + 128) * x - 256 p    to the sums of a and c
 *
 * Returns the words behind those. x: 16 * blocks bytes at any alignment; blocks and groups are at least 1. */
const uint32_t *mcugen1_pairs8_ref(const uint32_t *pairs, const uint8_t *x, uint32_t blocks, uint32_t groups,
                                   int32_t *sums);
const uint32_t *mcugen1_pairs8_dsp(const uint32_t *pairs, const uint8_t *x, uint32_t blocks, uint32_t groups,
                                   int32_t *sums); /* M4, M7, M33 */

/* What the sums have to begin with: takes the parts of x[0 .. 16 * blocks - 1] in these from both, modulo 2^32.
 * blocks is at least 1. */
void mcugen1_pairs8_first_ref(const uint8_t *x, uint32_t blocks, uint32_t *a, uint32_t *b);
void mcugen1_pairs8_first_dsp(const uint8_t *x, uint32_t blocks, uint32_t *a, uint32_t *b); /* M4, M7, M33 */

static inline const uint32_t *mcugen1_pairs8(const uint32_t *pairs, const uint8_t *x, uint32_t blocks, uint32_t groups,
                                             int32_t *sums)
{
#if defined(__ARM_FEATURE_DSP)
    return mcugen1_pairs8_dsp(pairs, x, blocks, groups, sums);
#else
    return mcugen1_pairs8_ref(pairs, x, blocks, groups, sums);
#endif
}

static inline void mcugen1_pairs8_first(const uint8_t *x, uint32_t blocks, uint32_t *a, uint32_t *b)
{
#if defined(__ARM_FEATURE_DSP)
    mcugen1_pairs8_first_dsp(x, blocks, a, b);
#else
    mcugen1_pairs8_first_ref(x, blocks, a, b);
#endif
}

#ifdef __cplusplus
}
#endif

#endif
