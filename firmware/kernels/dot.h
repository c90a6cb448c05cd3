/* dot.h - sum over i < n of x[i] * w[i], in 32 bits.
 *
 * x and w have any alignment and do not change. The sum of the magnitudes stays below 2^31.
 */
#ifndef MCUGEN_DOT_H
#define MCUGEN_DOT_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

int32_t mcugen1_dot_ref(const uint8_t *x, const int8_t *w, uint32_t n);
int32_t mcugen1_dot_dsp(const uint8_t *x, const int8_t *w, uint32_t n); /* M4, M7, M33 */
int32_t mcugen1_dot_mve(const uint8_t *x, const int8_t *w, uint32_t n); /* M55, M85 */

/* M55, M85: the same for four rows of n weights; less: 128 times the sum of x. */
void mcugen1_dot4_mve(const uint8_t *x, const int8_t *w, uint32_t n, int32_t less, int32_t *sums);

static inline int32_t mcugen1_dot(const uint8_t *x, const int8_t *w, uint32_t n)
{
#if defined(__ARM_FEATURE_MVE)
    return mcugen1_dot_mve(x, w, n);
#elif defined(__ARM_FEATURE_DSP)
    return mcugen1_dot_dsp(x, w, n);
#else
    return mcugen1_dot_ref(x, w, n);
#endif
}

#ifdef __cplusplus
}
#endif

#endif
