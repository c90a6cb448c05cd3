/* im2col_nibbles.h - im2col from a flat image to lanes of nibbles.
 *
 * A word of y has the pixels of two words of lanes of bytes with twice as many rows: of row r, and of the row out.rows
 * below. The programs make pixels 16 times as large and what is behind the point, so that 0 .. 255 is what limits the
 * upper four bits to 0 .. 15: these are the pixels. Rows of the upper half of the lanes are made a few words at a time,
 * behind the others, and put together with them.
 */
#ifndef MCUGEN_IM2COL_NIBBLES_H
#define MCUGEN_IM2COL_NIBBLES_H

#include "im2col_flat.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_im2col_nibbles {
    struct mcugen_im2col_flat flat; /* rows: 2 * out.rows; lo and hi: of bytes, 16 times as large, hi 15 more */
    uint16_t strip;                 /* words that are put together at a time, at least 1 */
};

/* A layer. x: flat, any alignment; y: out.channels planes in lanes of nibbles, sealed here; scratch: as of im2col_flat,
 * then a strip of all channels. */
void mcugen1_im2col_nibbles_ref(const struct mcugen_im2col_nibbles *k, const void *x, void *y, void *scratch);

static inline void mcugen1_im2col_nibbles(const struct mcugen_im2col_nibbles *k, const void *x, void *y, void *scratch)
{
    mcugen1_im2col_nibbles_ref(k, x, y, scratch);
}

#ifdef __cplusplus
}
#endif

#endif
