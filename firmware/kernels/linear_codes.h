/* linear_codes.h - fully connected layer with ternary weights of two bits, all of them multiplied.
 *
 *     y[o] = tail(sum over i < n of (w[o][i] + 1) * x[i], less the sum of x)
 */
#ifndef MCUGEN_LINEAR_CODES_H
#define MCUGEN_LINEAR_CODES_H

#include "linear_sums.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_linear_codes {
    mcugen_finish_fn finish;
    struct mcugen_tail tail;
    const uint32_t *weights; /* of the whole blocks of 16 inputs, then of the rest, see codes2.h */
    uint32_t n;              /* bytes of x */
    uint16_t outputs;
};

/* x: n bytes at any alignment; y: outputs elements of tail.bytes. */
void mcugen1_linear_codes_ref(const struct mcugen_linear_codes *k, const void *x, void *y);

static inline void mcugen1_linear_codes(const struct mcugen_linear_codes *k, const void *x, void *y)
{
    mcugen1_linear_codes_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
