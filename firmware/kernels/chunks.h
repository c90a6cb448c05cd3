/* chunks.h - convolution with ternary weights from lanes to lanes on pixels of 4 bits and fewer, a byte each.
 *
 *     y[o] = clamp((acc * mult[o] + add[o]) >> shift[o], lo, hi), acc = sum of the pixels where w[o] is 1, less the sum
 *     of those where it is -1
 *
 * As sparse.h, but with sums of bytes, four to a word: no addition carries into the next one while only so many weights
 * have been added as 255 has room for, 17 of pixels up to 15. That is a chunk. Programs (docs/FORMAT.md, "chunks16") are
 * of halfwords; offsets are distances in bytes of x, a token t is stored as 2 t + 2:
 *
 *     offset 1, offset 2, token, offset 3, ..., token 0 or 26
 *
 * Each entry of a list has its offset loaded by the entry before, so the one behind the last is 0. The first entry
 * sets the sums, then tokens say what comes:
 *
 *     1 .. 16   as many entries: the pixels are added to the sums
 *     17, c     sums = c - sums; the halfword behind the token is 257 * c, c is 0 .. 255
 *     18, 19    totals = sums, or -sums; then the next entry sets the sums
 *     20, 21    totals += sums, or -= sums; then the same
 *     22 .. 25  as 18 .. 21, and 16 more entries are added
 *     0         end: y = clamp((sum * mult + add) >> shift, lo, hi), in 32 bits
 *     26        end: the same for total + sum in place of sum
 *
 * That sums are 0 .. 255 and the last totals fit 16 bits is proven for every channel by mcugen/kernels/chunks.py, and so is
 * that sum * mult + add fits 32 bits.
 */
#ifndef MCUGEN_CHUNKS_H
#define MCUGEN_CHUNKS_H

#include "sparse.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_chunks;

/* Writes the next channel's program to scratch and returns it; sets the decoder's tail. */
typedef const uint16_t *(*mcugen_chunks_decode_fn)(const struct mcugen_chunks *k, struct mcugen_sparse_decoder *d,
                                                   void *scratch);

/* The members lie where those of struct mcugen_sparse do, whose assembler takes both. */
struct mcugen_chunks {
    const uint16_t *weights; /* programs of all channels of y, one behind the other */
    const int32_t *tails; /* of each channel of y: (mult & 0xffff) | shift << 16, add; for its sum, not for acc. Or 0 */
    const uint16_t *runs; /* of strips: first word of x, first word of y, words of y, words of a strip (1 .. 6) */
    uint16_t run_count;
    uint8_t lo;
    uint8_t hi;
    struct mcugen_lanes out;
    uint8_t step; /* words of x between neighbouring words of y, 1 or 2: stride_w */
    const uint16_t *packing; /* 0; or packed tails; or, of a code, MCUGEN_RICE_K and what follows it */
    mcugen_chunks_decode_fn decode; /* 0: weights are programs */
};

/* Of a Rice code (FORMAT.md, "rice", but distances are in bytes) the numbers are those of `sparse` but for these. Tails
 * have 4 halfwords, mult, shift, and add, low half first. */
enum {
    MCUGEN_CHUNKS_HIGHEST = MCUGEN_RICE_CENTRE, /* that a pixel can be */
    MCUGEN_CHUNKS_ROOM = MCUGEN_RICE_END /* entries of a chunk */
};

/* x: planes in lanes, sealed; y: out.channels planes, sealed here; scratch: only for decode. */
void mcugen1_chunks_ref(const struct mcugen_chunks *k, const void *x, void *y, void *scratch);
void mcugen1_chunks_m0(const struct mcugen_chunks *k, const void *x, void *y, void *scratch); /* M0, M0+, M23 */

static inline void mcugen1_chunks(const struct mcugen_chunks *k, const void *x, void *y, void *scratch)
{
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
    mcugen1_chunks_m0(k, x, y, scratch);
#else
    mcugen1_chunks_ref(k, x, y, scratch);
#endif
}

/* A mcugen_chunks_decode_fn. */
const uint16_t *mcugen1_chunks_rice(const struct mcugen_chunks *k, struct mcugen_sparse_decoder *d, void *scratch);

/* Its first half: the offsets of a channel's -1 weights, and behind them, up to *end, of its 1 weights, in scratch; where
 * those begin is aligned to 32 bytes, MCUGEN_RICE_MIDDLE of them from the first such place. */
const uint16_t *mcugen1_chunks_lists(const struct mcugen_chunks *k, struct mcugen_sparse_decoder *d, void *scratch,
                                     const uint16_t **end);

#ifdef __cplusplus
}
#endif

#endif
