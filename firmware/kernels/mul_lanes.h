/* mul_lanes.h - product of two images in lanes, or of one and a factor per channel.
 *
 *     y[c][r][s] = tail((a[c][r][s] - zero_a) * (factor - zero_b)), factor = b[c][r][s] or b[c]
 *
 * The images have the same channels, size and rows per lane; halos, pad columns and pad values may differ.
 */
#ifndef MCUGEN_MUL_LANES_H
#define MCUGEN_MUL_LANES_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_mul_lanes {
    struct mcugen_tail tail; /* one entry serves all elements; bytes is 1; 0 is among the proven products */
    struct mcugen_lanes a;
    struct mcugen_lanes b; /* rows is 0 where b is flat: a byte per channel */
    struct mcugen_lanes out;
    uint8_t zero_a; /* a.pad_value: whatever garbage rows of b hold, their product is 0 */
    uint8_t zero_b;
};

/* a, b: planes, their halos are not read; y: planes, sealed here. y may be the buffer of a where out equals k->a: each byte
 * is read before it is written, and sealing comes last and reads only y. */
void mcugen1_mul_lanes_ref(const struct mcugen_mul_lanes *k, const void *a, const void *b, void *y);

static inline void mcugen1_mul_lanes(const struct mcugen_mul_lanes *k, const void *a, const void *b, void *y)
{
    mcugen1_mul_lanes_ref(k, a, b, y);
}

#ifdef __cplusplus
}
#endif

#endif
