/* relayout.h - the same value in another layout.
 *
 *     to's pixel (c, r, s) = from's pixel (c, r, s)
 *
 * Both have the same channels, height and width. A descriptor with rows = 0 is a flat image of bytes in C, H, W order
 * (its halos, pads and plane mean nothing). Or one is lanes of a column of the pixels of the other. Which of them is
 * lanes of nibbles the function knows.
 */
#ifndef MCUGEN_RELAYOUT_H
#define MCUGEN_RELAYOUT_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_relayout;

/* x: an image as `from` says, sealed; y: an image as `to` says, sealed here. They may overlap where both are lanes of
 * as many rows and no word's place in y lies behind its place in x: words are moved one after the other in the order of
 * memory, and what seals a channel is written behind its own words, reads only y, and lies before the next channel's
 * first. A model links the ones that it uses. */
typedef void (*mcugen_relayout_fn)(const struct mcugen_relayout *k, const void *x, void *y);

struct mcugen_relayout {
    struct mcugen_lanes from;
    struct mcugen_lanes to;
    mcugen_relayout_fn move;
};

/* Any two layouts of bytes. */
void mcugen1_relayout_ref(const struct mcugen_relayout *k, const void *x, void *y);

/* The same lanes, other halos, which are not sealed: of bytes or nibbles. */
void mcugen1_relayout_words(const struct mcugen_relayout *k, const uint32_t *x, uint32_t *y);

/* Any two layouts of nibbles; of bytes and nibbles; of nibbles and bytes. */
void mcugen1_relayout_nibbles(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_to_nibbles(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_from_nibbles(const struct mcugen_relayout *k, const void *x, void *y);

/* Lanes of 2 R rows of bytes to lanes of R rows of nibbles, and back. Word (r, x) of nibbles has word (r, x) of bytes in
 * the lower half of each byte, and word (R + r, x) in the upper one. pack moves word by word as above: x and y may overlap
 * where no word's place in y lies behind that of its lower half in x. */
void mcugen1_relayout_pack(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_unpack(const struct mcugen_relayout *k, const void *x, void *y);

/* Lanes of as many rows, of as many words as the name says: from no pad columns to one, and to at most one halo row
 * above and below. */
void mcugen1_relayout_halos1(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_halos2(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_halos3(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_halos4(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_halos5(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_halos6(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_halos7(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_halos8(const struct mcugen_relayout *k, const void *x, void *y);

/* The same of nibbles, on Armv7-M and later. */
void mcugen1_relayout_nibble_halos1(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_nibble_halos2(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_nibble_halos3(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_nibble_halos4(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_nibble_halos5(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_nibble_halos6(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_nibble_halos7(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_nibble_halos8(const struct mcugen_relayout *k, const void *x, void *y);

/* From lanes of 3 rows to lanes of 4, at least 4 words wide, with one pad column, no halo above and at most one row below. */
void mcugen1_relayout_3to4(const struct mcugen_relayout *k, const void *x, void *y);

/* 6 x 6 pixels, between lanes of 2 rows and of a column: from no halos and pad columns, to none, and to one pad column
 * and at most one halo row above and below. */
void mcugen1_relayout_12to9(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_9to12(const struct mcugen_relayout *k, const void *x, void *y);
void mcugen1_relayout_9to12_halos(const struct mcugen_relayout *k, const void *x, void *y);

#if !defined(__ARM_ARCH_ISA_THUMB) || defined(__ARM_ARCH_ISA_ARM) /* there is no assembly for this machine */
#define mcugen1_relayout_halos1 mcugen1_relayout_ref
#define mcugen1_relayout_halos2 mcugen1_relayout_ref
#define mcugen1_relayout_halos3 mcugen1_relayout_ref
#define mcugen1_relayout_halos4 mcugen1_relayout_ref
#define mcugen1_relayout_halos5 mcugen1_relayout_ref
#define mcugen1_relayout_halos6 mcugen1_relayout_ref
#define mcugen1_relayout_halos7 mcugen1_relayout_ref
#define mcugen1_relayout_halos8 mcugen1_relayout_ref
#endif
#if !defined(__ARM_ARCH_ISA_THUMB) || defined(__ARM_ARCH_ISA_ARM) || __ARM_ARCH_ISA_THUMB != 2
#define mcugen1_relayout_nibble_halos1 mcugen1_relayout_nibbles
#define mcugen1_relayout_nibble_halos2 mcugen1_relayout_nibbles
#define mcugen1_relayout_nibble_halos3 mcugen1_relayout_nibbles
#define mcugen1_relayout_nibble_halos4 mcugen1_relayout_nibbles
#define mcugen1_relayout_nibble_halos5 mcugen1_relayout_nibbles
#define mcugen1_relayout_nibble_halos6 mcugen1_relayout_nibbles
#define mcugen1_relayout_nibble_halos7 mcugen1_relayout_nibbles
#define mcugen1_relayout_nibble_halos8 mcugen1_relayout_nibbles
#endif
#if !defined(__ARM_ARCH_ISA_THUMB) || defined(__ARM_ARCH_ISA_ARM) || !defined(__ARM_FEATURE_DSP)
#define mcugen1_relayout_3to4 mcugen1_relayout_ref
#define mcugen1_relayout_12to9 mcugen1_relayout_ref
#define mcugen1_relayout_9to12 mcugen1_relayout_ref
#define mcugen1_relayout_9to12_halos mcugen1_relayout_ref
#endif

/* A row of lanes in all channels, which are at least one. */
struct mcugen_rows {
    uint32_t at[4];   /* where the image's rows in the four lanes are in the other image, in bytes */
    uint32_t width;   /* words */
    uint32_t lanes;   /* the first word */
    uint32_t plane;   /* words from a channel to the next */
    uint32_t other;   /* bytes from a channel to the next of the other image */
    uint32_t channels;
};

/* The row from a flat image; a run of n words, where y may begin before x and overlap it. */
void mcugen1_relayout_spread(const struct mcugen_rows *r, const uint8_t *x, uint32_t *y);
void mcugen1_relayout_run(const uint32_t *x, uint32_t *y, uint32_t n);

/* Armv7-M and later: the row, from other lanes and from a flat image. */
void mcugen1_relayout_columns_thumb(const struct mcugen_rows *r, const uint8_t *x, uint32_t *y);
void mcugen1_relayout_spread_thumb(const struct mcugen_rows *r, const uint8_t *x, uint32_t *y);

/* Runs of words on all Cortex-M. */
void mcugen1_words_thumb(const uint32_t *from, uint32_t *to, uint32_t n);

/* The same on Armv7-M and later of a run of n words of nibbles. */
void mcugen1_pack_thumb(const uint32_t *low, const uint32_t *high, uint32_t *y, uint32_t n);
void mcugen1_unpack_thumb(const uint32_t *x, uint32_t *low, uint32_t *high, uint32_t n);

/* M55, M85: pixels of four rows to n words; words to rows that lie `step` bytes apart, one for each lane; n words. */
void mcugen1_spread_mve(const uint8_t *const *rows, uint32_t *to, uint32_t n);
void mcugen1_gather_mve(const uint32_t *from, uint8_t *y, uint32_t step, uint32_t lanes, uint32_t n);
void mcugen1_words_mve(const uint32_t *from, uint32_t *to, uint32_t n);

static inline void mcugen1_relayout(const struct mcugen_relayout *k, const void *x, void *y)
{
    k->move(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
