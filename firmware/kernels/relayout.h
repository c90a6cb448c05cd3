/* relayout.h - the same value in another layout.
 *
 *     to's pixel (c, r, s) = from's pixel (c, r, s)
 *
 * Both have the same channels, height and width. A descriptor with rows = 0 is a flat image of bytes in C, H, W order
 * (its halos, pads and plane mean nothing). Or one is lanes of a column of the pixels of the other.
 */
#ifndef MCUGEN_RELAYOUT_H
#define MCUGEN_RELAYOUT_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_relayout {
    struct mcugen_lanes from;
    struct mcugen_lanes to;
};

/* x: an image as `from` says, only the image itself is read; y: an image as `to` says, lanes sealed here. They may
 * overlap where both are lanes of as many rows and no word's place in y lies behind its place in x: words are moved one
 * after the other in the order of memory, and sealing comes last and reads only y. */
void mcugen1_relayout_ref(const struct mcugen_relayout *k, const void *x, void *y);

/* M55, M85: pixels of four rows to n words; words to rows that lie `step` bytes apart, one for each lane; n words. */
void mcugen1_spread_mve(const uint8_t *const *rows, uint32_t *to, uint32_t n);
void mcugen1_gather_mve(const uint32_t *from, uint8_t *y, uint32_t step, uint32_t lanes, uint32_t n);
void mcugen1_words_mve(const uint32_t *from, uint32_t *to, uint32_t n);

static inline void mcugen1_relayout(const struct mcugen_relayout *k, const void *x, void *y)
{
    mcugen1_relayout_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
