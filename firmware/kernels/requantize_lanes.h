/* requantize_lanes.h - change of scale, zero point or limits of an image in lanes.
 *
 *     y[c][r][s] = tail(x[c][r][s])
 *
 * x and y have the same size and rows per lane; halos, pad columns and pad values may differ.
 */
#ifndef MCUGEN_REQUANTIZE_LANES_H
#define MCUGEN_REQUANTIZE_LANES_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_requantize_lanes {
    struct mcugen_tail tail; /* bytes is 1; wide is 0 only if in.pad_value has been proven too */
    struct mcugen_lanes in;
    struct mcugen_lanes out;
    uint16_t channels; /* 1: one entry of the tail serves all planes; else in.channels */
};

/* x: in.channels planes, halos are not read; y: in.channels planes, sealed here. y may be x where out equals in: each byte
 * is read before it is written, and sealing comes last and reads only y. */
void mcugen1_requantize_lanes_ref(const struct mcugen_requantize_lanes *k, const void *x, void *y);

static inline void mcugen1_requantize_lanes(const struct mcugen_requantize_lanes *k, const void *x, void *y)
{
    mcugen1_requantize_lanes_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
