/* rice16.h - sums over the weights of a Rice code (docs/FORMAT.md, "rice16"), which needs no memory for a list.
 *
 * For each weight that is not zero, all outputs one behind the other: the zeros before it, gap >> k ones, a zero, the k
 * low bits of gap; then 1 if the weight is -1. The last one is an entry just behind the last output.
 */
#ifndef MCUGEN_RICE16_H
#define MCUGEN_RICE16_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where in the code the next output begins; to begin with {code, 0, -16, -n - 1, 0, k}. */
struct mcugen_rice16 {
    const uint16_t *next; /* what is read next, highest bit first */
    uint32_t bits;        /* read already, at the top, with zeros below; on some cores their complement */
    int32_t left;         /* how many, less 16 */
    int32_t at; /* of the entry read last, from the end of its output; not negative: it belongs to a later one */
    uint32_t code; /* that entry's sign */
    uint32_t k; /* 0 .. 7 */
};

/* sums[o] for the next `count` outputs, modulo 2^32; x: n bytes at any alignment; count is at least 1. */
void mcugen1_rice16_ref(struct mcugen_rice16 *s, const uint8_t *x, uint32_t n, uint32_t count, int32_t *sums);
void mcugen1_rice16_dsp(struct mcugen_rice16 *s, const uint8_t *x, uint32_t n, uint32_t count,
                        int32_t *sums); /* M4, M7, M33 */
void mcugen1_rice16_m3(struct mcugen_rice16 *s, const uint8_t *x, uint32_t n, uint32_t count,
                       int32_t *sums); /* M3, M33 without DSP: the same code */
void mcugen1_rice16_m0(struct mcugen_rice16 *s, const uint8_t *x, uint32_t n, uint32_t count,
                       int32_t *sums); /* Armv6-M */

static inline void mcugen1_rice16(struct mcugen_rice16 *s, const uint8_t *x, uint32_t n, uint32_t count, int32_t *sums)
{
#if defined(__ARM_FEATURE_DSP)
    mcugen1_rice16_dsp(s, x, n, count, sums);
#elif defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
    mcugen1_rice16_m3(s, x, n, count, sums);
#elif defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_ARCH_ISA_ARM)
    mcugen1_rice16_m0(s, x, n, count, sums);
#else
    mcugen1_rice16_ref(s, x, n, count, sums);
#endif
}

#ifdef __cplusplus
}
#endif

#endif
