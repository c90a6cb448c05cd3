/* scale_nibbles.h - product of an image in lanes of nibbles and a factor per channel.
 *
 *     y[c][r][s] = tail((a[c][r][s] - zero_a) * (b[c] - zero_b))
 *
 * The images have the same channels, size and rows per lane; halos, pad columns and pad values may differ.
 */
#ifndef MCUGEN_SCALE_NIBBLES_H
#define MCUGEN_SCALE_NIBBLES_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_scale_nibbles {
    struct mcugen_tail tail; /* one entry serves all channels; bytes is 1; proven for pixels of 0 .. 15 */
    struct mcugen_lanes a;
    struct mcugen_lanes out;
    uint8_t zero_a;
    uint8_t zero_b;
};

/* a: planes, their halos are not read; b: a byte for each channel; y: planes, sealed here; may be the buffer of a where out
 * equals k->a. */
void mcugen1_scale_nibbles_ref(const struct mcugen_scale_nibbles *k, const void *a, const void *b, void *y);

static inline void mcugen1_scale_nibbles(const struct mcugen_scale_nibbles *k, const void *a, const void *b, void *y)
{
    mcugen1_scale_nibbles_ref(k, a, b, y);
}

#ifdef __cplusplus
}
#endif

#endif
