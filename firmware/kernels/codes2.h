/* codes2.h - sums of products with weights of two bits (docs/FORMAT.md, "codes2").
 *
 * For each group of four outputs: for each block of 16 inputs a word of each output. Code w + 1 of input 4 * i + j is
 * at bit 4 * i + 2 * (j % 2) + 16 * (j / 2) of it.
 */
#ifndef MCUGEN_CODES2_H
#define MCUGEN_CODES2_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

/* sums[o] += sum of code * x for the next 4 * groups outputs, modulo 2^32. Returns the codes behind those. x: 16 *
 * blocks bytes at any alignment; blocks and groups are at least 1. */
const uint32_t *mcugen1_codes2_ref(const uint32_t *codes, const uint8_t *x, uint32_t blocks, uint32_t groups,
                                   int32_t *sums);
const uint32_t *mcugen1_codes2_dsp(const uint32_t *codes, const uint8_t *x, uint32_t blocks, uint32_t groups,
                                   int32_t *sums); /* M4, M7, M33 */

/* The sum of 16 * blocks bytes; blocks may be 0. */
int32_t mcugen1_codes2_total_ref(const uint8_t *x, uint32_t blocks);
int32_t mcugen1_codes2_total_dsp(const uint8_t *x, uint32_t blocks); /* M4, M7, M33 */

static inline const uint32_t *mcugen1_codes2(const uint32_t *codes, const uint8_t *x, uint32_t blocks, uint32_t groups,
                                             int32_t *sums)
{
#if defined(__ARM_FEATURE_DSP)
    return mcugen1_codes2_dsp(codes, x, blocks, groups, sums);
#else
    return mcugen1_codes2_ref(codes, x, blocks, groups, sums);
#endif
}

static inline int32_t mcugen1_codes2_total(const uint8_t *x, uint32_t blocks)
{
#if defined(__ARM_FEATURE_DSP)
    return mcugen1_codes2_total_dsp(x, blocks);
#else
    return mcugen1_codes2_total_ref(x, blocks);
#endif
}

#ifdef __cplusplus
}
#endif

#endif
