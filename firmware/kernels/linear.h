/* linear.h - fully connected layer.
 *
 *     y[o] = tail(sum over i < n of w[o][i] * x[i])
 *
 * x is a buffer, byte by byte: where it is an image in lanes, the generator has put the weights into the order of its
 * bytes, with zeros for halos, pad columns and garbage rows.
 */
#ifndef MCUGEN_LINEAR_H
#define MCUGEN_LINEAR_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_linear {
    struct mcugen_tail tail;
    const uint8_t *weights; /* outputs * n, packed */
    mcugen_unpack_fn unpack;
    uint32_t n;       /* bytes of x */
    uint16_t outputs;
    uint16_t chunk;   /* weights unpacked at a time; 0: they are int8 and read where they lie */
};

/* x: n bytes at any alignment; y: outputs elements of tail.bytes; scratch: chunk bytes. */
void mcugen1_linear_ref(const struct mcugen_linear *k, const void *x, void *y, void *scratch);
void mcugen1_linear_mve(const struct mcugen_linear *k, const void *x, void *y, void *scratch); /* M55, M85 */

static inline void mcugen1_linear(const struct mcugen_linear *k, const void *x, void *y, void *scratch)
{
#if defined(__ARM_FEATURE_MVE)
    mcugen1_linear_mve(k, x, y, scratch);
#else
    mcugen1_linear_ref(k, x, y, scratch);
#endif
}

#ifdef __cplusplus
}
#endif

#endif
