/* linear_dots.h - fully connected layer with weights of 8 bits, by dot products of four inputs, for cores without the DSP extension.
 *
 *     y[o] = tail(sum over i < n of w[o][i] * x[i])
 */
#ifndef MCUGEN_LINEAR_DOTS_H
#define MCUGEN_LINEAR_DOTS_H

#include "linear_sums.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_linear_dots {
    mcugen_finish_fn finish;
    struct mcugen_tail tail;
    const uint32_t *weights; /* see dots8.h */
    uint32_t n; /* bytes of x, 65536 at most */
    uint16_t outputs;
    uint16_t chunk; /* quads of inputs that are prepared at a time */
};

/* x: n bytes at any alignment; y: outputs elements of tail.bytes; scratch: 12 bytes for each quad of a chunk. */
void mcugen1_linear_dots_ref(const struct mcugen_linear_dots *k, const void *x, void *y, void *scratch);

static inline void mcugen1_linear_dots(const struct mcugen_linear_dots *k, const void *x, void *y, void *scratch)
{
    mcugen1_linear_dots_ref(k, x, y, scratch);
}

#ifdef __cplusplus
}
#endif

#endif
