/* tables4.h - sums by a table of the 81 sums of each four inputs (docs/FORMAT.md, "codes81").
 *
 * For each block of 32 inputs: for each four outputs: for each four inputs a byte of each output, which is twice the
 * place of its sum: 28 * (w0 + 1) + 9 * (w1 + 1) + 3 * (w2 + 1) + (w3 + 1).
 */
#ifndef MCUGEN_TABLES4_H
#define MCUGEN_TABLES4_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MCUGEN_TABLES4 1344 /* bytes: 8 tables of 84 halfwords, each its sum + 1020 */

/* sums[o] += 8 * 1020 + sum of w * x over a block, for 4 * quads outputs. Returns the codes behind them. x: 32 bytes;
 * x and codes have any alignment; quads is at least 1; tables: MCUGEN_TABLES4 bytes, aligned to 4. */
const uint8_t *mcugen1_tables4_ref(const uint8_t *codes, const uint8_t *x, uint32_t quads, int32_t *sums,
                                   uint16_t *tables);
const uint8_t *mcugen1_tables4_dsp(const uint8_t *codes, const uint8_t *x, uint32_t quads, int32_t *sums,
                                   uint16_t *tables); /* M4, M7, M33 */
const uint8_t *mcugen1_tables4_m3(const uint8_t *codes, const uint8_t *x, uint32_t quads, int32_t *sums,
                                  uint16_t *tables); /* M3, M33 without DSP: the same code */
const uint8_t *mcugen1_tables4_m0(const uint8_t *codes, const uint8_t *x, uint32_t quads, int32_t *sums,
                                  uint16_t *tables); /* Armv6-M: the same code */

static inline const uint8_t *mcugen1_tables4(const uint8_t *codes, const uint8_t *x, uint32_t quads, int32_t *sums,
                                             uint16_t *tables)
{
#if defined(__ARM_FEATURE_DSP)
    return mcugen1_tables4_dsp(codes, x, quads, sums, tables);
#elif defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
    return mcugen1_tables4_m3(codes, x, quads, sums, tables);
#elif defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_ARCH_ISA_ARM)
    return mcugen1_tables4_m0(codes, x, quads, sums, tables);
#else
    return mcugen1_tables4_ref(codes, x, quads, sums, tables);
#endif
}

#ifdef __cplusplus
}
#endif

#endif
