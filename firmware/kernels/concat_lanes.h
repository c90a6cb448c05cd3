/* concat_lanes.h - images in lanes one after the other along the channels, each brought to the output's scale.
 *
 *     y = x[0], x[1], ...   where byte v of x[i] becomes clamp((v * mult[i] + add[i]) >> shift[i], lo, hi)
 *
 * All have the same size and rows per lane; halos, pad columns and pad values may differ.
 */
#ifndef MCUGEN_CONCAT_LANES_H
#define MCUGEN_CONCAT_LANES_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_concat_lanes {
    const uint16_t *channels; /* of each input */
    const uint32_t *plane;    /* bytes of a channel of each input */
    const uint32_t *first;    /* byte offset of row 0, column 0 in it */
    const uint32_t *pitch;    /* bytes from one row to the next */
    const int16_t *mult;      /* per input; |v * mult + add| < 2^31 for every byte v that it can hold */
    const int32_t *add;
    const uint8_t *shift; /* 0 .. 31 */
    const uint8_t *copy;  /* 1: the input goes through as it is */
    struct mcugen_lanes out;
    int32_t lo; /* 0 <= lo <= hi <= 255 */
    int32_t hi;
    uint8_t inputs;
};

/* x: `inputs` pointers to planes, halos are not read; y: out.channels planes, sealed here, overlaps no input. */
void mcugen1_concat_lanes_ref(const struct mcugen_concat_lanes *k, const void *const *x, void *y);

static inline void mcugen1_concat_lanes(const struct mcugen_concat_lanes *k, const void *const *x, void *y)
{
    mcugen1_concat_lanes_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
