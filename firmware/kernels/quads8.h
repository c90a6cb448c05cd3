/* quads8.h - sums of products with weights of 8 bits, by four outputs (docs/FORMAT.md, "quads8").
 *
 * For each group of four outputs a word of each input, whose byte o is the weight of output o, plus 128.
 */
#ifndef MCUGEN_QUADS8_H
#define MCUGEN_QUADS8_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

/* sums[o] += sum of (w[o] + 128) * x for the next 4 * groups outputs, modulo 2^32. Returns the words behind those.
 * x: n bytes at any alignment; n and groups are at least 1. */
const uint32_t *mcugen1_quads8_ref(const uint32_t *quads, const uint8_t *x, uint32_t n, uint32_t groups, int32_t *sums);
const uint32_t *mcugen1_quads8_dsp(const uint32_t *quads, const uint8_t *x, uint32_t n, uint32_t groups,
                                   int32_t *sums); /* M4, M7, M33 */
const uint32_t *mcugen1_quads8_m3(const uint32_t *quads, const uint8_t *x, uint32_t n, uint32_t groups,
                                  int32_t *sums); /* M3, M33 without DSP: the same code */
const uint32_t *mcugen1_quads8_m0(const uint32_t *quads, const uint8_t *x, uint32_t n, uint32_t groups,
                                  int32_t *sums); /* Armv6-M */

static inline const uint32_t *mcugen1_quads8(const uint32_t *quads, const uint8_t *x, uint32_t n, uint32_t groups,
                                             int32_t *sums)
{
#if defined(__ARM_FEATURE_DSP)
    return mcugen1_quads8_dsp(quads, x, n, groups, sums);
#elif defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
    return mcugen1_quads8_m3(quads, x, n, groups, sums);
#elif defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_ARCH_ISA_ARM)
    return mcugen1_quads8_m0(quads, x, n, groups, sums);
#else
    return mcugen1_quads8_ref(quads, x, n, groups, sums);
#endif
}

#ifdef __cplusplus
}
#endif

#endif
