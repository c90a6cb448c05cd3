/* linear_quads.h - fully connected layer with weights of 8 bits, for cores without the DSP extension.
 *
 *     y[o] = tail(sum over i < n of (w[o][i] + 128) * x[i], less 128 times the sum of x)
 */
#ifndef MCUGEN_LINEAR_QUADS_H
#define MCUGEN_LINEAR_QUADS_H

#include "linear_sums.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_linear_quads {
    mcugen_finish_fn finish;
    struct mcugen_tail tail;
    const uint32_t *weights; /* see quads8.h */
    uint32_t n;              /* bytes of x */
    uint16_t outputs;
};

/* x: n bytes at any alignment; y: outputs elements of tail.bytes. */
void mcugen1_linear_quads_ref(const struct mcugen_linear_quads *k, const void *x, void *y);

static inline void mcugen1_linear_quads(const struct mcugen_linear_quads *k, const void *x, void *y)
{
    mcugen1_linear_quads_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
