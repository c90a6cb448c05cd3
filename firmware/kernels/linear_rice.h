/* linear_rice.h - fully connected layer with ternary weights that are decoded from a Rice code as they are added.
 *
 *     y[o] = tail(sum of x where w[o] is 1, less the sum of x where w[o] is -1)
 */
#ifndef MCUGEN_LINEAR_RICE_H
#define MCUGEN_LINEAR_RICE_H

#include "linear_sums.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_linear_rice {
    mcugen_finish_fn finish;
    struct mcugen_tail tail;
    const uint16_t *weights; /* the code of all outputs, see rice16.h */
    uint32_t n;              /* bytes of x */
    uint16_t outputs;
    uint8_t k;
};

/* x: n bytes at any alignment; y: outputs elements of tail.bytes. */
void mcugen1_linear_rice_ref(const struct mcugen_linear_rice *k, const void *x, void *y);

static inline void mcugen1_linear_rice(const struct mcugen_linear_rice *k, const void *x, void *y)
{
    mcugen1_linear_rice_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
