/* requantize_flat.h - change of scale, zero point, type or limits of a flat value.
 *
 *     y[c][i] = tail(x[c][i]), i < each
 */
#ifndef MCUGEN_REQUANTIZE_FLAT_H
#define MCUGEN_REQUANTIZE_FLAT_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_requantize_flat {
    struct mcugen_tail tail;
    uint32_t channels; /* 1: one entry of the tail serves all elements */
    uint32_t each;     /* elements of a channel */
    uint8_t in_bytes;  /* of one element of x: 1 unsigned, 2 or 4 signed */
};

/* x: channels * each elements of in_bytes, y: of tail.bytes, both at any alignment. Where in_bytes = tail.bytes, y may be
 * x (exactly, not shifted): each element is read before it is written. */
void mcugen1_requantize_flat_ref(const struct mcugen_requantize_flat *k, const void *x, void *y);

static inline void mcugen1_requantize_flat(const struct mcugen_requantize_flat *k, const void *x, void *y)
{
    mcugen1_requantize_flat_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
