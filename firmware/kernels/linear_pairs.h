/* linear_pairs.h - fully connected layer with weights of 8 bits, for cores with the DSP extension.
 *
 *     y[o] = tail(sum over i < n of w[o][i] * x[i])
 */
#ifndef MCUGEN_LINEAR_PAIRS_H
#define MCUGEN_LINEAR_PAIRS_H

#include "linear_sums.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_linear_pairs {
    mcugen_finish_fn finish;
    struct mcugen_tail tail;
    const uint32_t *weights; /* of the whole blocks of 16 inputs, then of the rest, see pairs8.h */
    uint32_t n;              /* bytes of x */
    uint16_t outputs;
};

/* x: n bytes at any alignment; y: outputs elements of tail.bytes. */
void mcugen1_linear_pairs_ref(const struct mcugen_linear_pairs *k, const void *x, void *y);

static inline void mcugen1_linear_pairs(const struct mcugen_linear_pairs *k, const void *x, void *y)
{
    mcugen1_linear_pairs_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
