/* linear_lists.h - fully connected layer with ternary weights, by lists of the weights that are not zero.
 *
 *     y[o] = tail(sum of x where w[o] is 1, less the sum of x where w[o] is -1)
 */
#ifndef MCUGEN_LINEAR_LISTS_H
#define MCUGEN_LINEAR_LISTS_H

#include "linear_sums.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_linear_lists {
    mcugen_finish_fn finish;
    struct mcugen_tail tail;
    const uint8_t *weights; /* the lists of each output, see lists8.h */
    uint32_t span;          /* inputs, rounded up to whole blocks */
    uint16_t outputs;
    uint16_t block; /* inputs that lists count from, 1 .. 256 */
};

/* x: the inputs at any alignment; y: outputs elements of tail.bytes. */
void mcugen1_linear_lists_ref(const struct mcugen_linear_lists *k, const void *x, void *y);

static inline void mcugen1_linear_lists(const struct mcugen_linear_lists *k, const void *x, void *y)
{
    mcugen1_linear_lists_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
