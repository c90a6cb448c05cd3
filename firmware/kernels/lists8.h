/* lists8.h - sums of the inputs that lists of bytes name (docs/FORMAT.md, "lists8").
 *
 * For each output: for each block of inputs a list of the weights that are +1, then one of those that are -1. A list is
 * 31 less how many they are, at most 31 (a byte), and where they are in the block (a byte each).
 */
#ifndef MCUGEN_LISTS8_H
#define MCUGEN_LISTS8_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where the lists count from: `block` inputs at a time, 1 .. 256, and x + span behind the last block, which may be behind
 * the last input. x has any alignment. */
struct mcugen_lists8 {
    const uint8_t *x;
    uint32_t block;
    uint32_t span; /* a multiple of block */
};

/* sums[o] = sum of x where w[o] is 1, less the sum where it is -1, for the next `count` outputs; modulo 2^32. Returns
 * the lists behind those. lists have any alignment; count is at least 1. */
const uint8_t *mcugen1_lists8_ref(const uint8_t *lists, const struct mcugen_lists8 *from, uint32_t count,
                                  int32_t *sums);
const uint8_t *mcugen1_lists8_dsp(const uint8_t *lists, const struct mcugen_lists8 *from, uint32_t count,
                                  int32_t *sums); /* M4, M7, M33 */
const uint8_t *mcugen1_lists8_m3(const uint8_t *lists, const struct mcugen_lists8 *from, uint32_t count,
                                 int32_t *sums); /* M3, M33 without DSP: the same code */
const uint8_t *mcugen1_lists8_m0(const uint8_t *lists, const struct mcugen_lists8 *from, uint32_t count,
                                 int32_t *sums); /* Armv6-M */
const uint8_t *mcugen1_lists8_mve(const uint8_t *lists, const struct mcugen_lists8 *from, uint32_t count,
                                  int32_t *sums); /* M55, M85 */

static inline const uint8_t *mcugen1_lists8(const uint8_t *lists, const struct mcugen_lists8 *from, uint32_t count,
                                            int32_t *sums)
{
#if defined(__ARM_FEATURE_MVE)
    return mcugen1_lists8_mve(lists, from, count, sums);
#elif defined(__ARM_FEATURE_DSP)
    return mcugen1_lists8_dsp(lists, from, count, sums);
#elif defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
    return mcugen1_lists8_m3(lists, from, count, sums);
#elif defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_ARCH_ISA_ARM)
    return mcugen1_lists8_m0(lists, from, count, sums);
#else
    return mcugen1_lists8_ref(lists, from, count, sums);
#endif
}

#ifdef __cplusplus
}
#endif

#endif
