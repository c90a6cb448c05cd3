/* concat_nibbles.h - images in lanes of nibbles one after the other along the channels, each brought to the output's scale.
 *
 *     y = x[0], x[1], ...   where pixel v of x[i] becomes table[16 * i + v], or with copy[i] stays as it is
 *
 * All have the same size and rows per lane; halos, pad columns and pad values may differ.
 */
#ifndef MCUGEN_CONCAT_NIBBLES_H
#define MCUGEN_CONCAT_NIBBLES_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_concat_nibbles {
    const uint8_t *table; /* 16 nibbles for each input */
    const uint8_t *copy; /* of each input */
    const uint16_t *channels; /* of each input */
    const uint32_t *plane; /* words of a channel of each input */
    const uint32_t *first; /* the word of row 0, column 0 in it */
    const uint32_t *pitch; /* words from one row to the next */
    struct mcugen_lanes out;
    uint8_t inputs;
};

/* x: `inputs` pointers to planes, halos are not read; y: out.channels planes, sealed here, overlaps no input. */
void mcugen1_concat_nibbles_ref(const struct mcugen_concat_nibbles *k, const void *const *x, void *y);

static inline void mcugen1_concat_nibbles(const struct mcugen_concat_nibbles *k, const void *const *x, void *y)
{
    mcugen1_concat_nibbles_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
