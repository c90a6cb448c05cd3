/* nibbles.h - convolution with ternary weights from lanes of nibbles to lanes of nibbles, by lists of the weights that are
 * not zero.
 *
 * As `sparse`, whose struct, runs and tails these are, but a word has eight pixels, and programs (docs/FORMAT.md,
 * "nibbles16") come in chunks of so few entries that their sums, B, fit a byte. A channel of more adds them up in sums of
 * 16 bits, S. Like there each entry has its offset loaded by the entry before:
 *
 *     offset 1, offset 2, token, offset 3, ..., an end
 *
 * The first entry of a chunk sets B, then tokens say what comes:
 *
 *     1 .. 16   as many entries: the pixels are added to B
 *     17, c     B = c - B; c stands in both bytes of its halfword
 *     18        B = 0
 *     20, c     S = B + c, c signed
 *     21        S = S + B
 *     22        S = S + 255 - B
 *     0, 19, 23 end: y = clamp((B * mult + add) >> shift, lo, hi), in 32 bits
 *     24 to 26  end: the same for S + 255 - B in place of B
 *
 * Behind 20 to 22 the next chunk begins with an entry, whose successor's offset follows, and a token.
 *
 * That no B leaves 0 .. 255 on the way, nor S, read as a signed number, 16 bits at the end, is proven for every channel by
 * mcugen/kernels/nibbles.py. 0, 23, 24 and 26 say in addition that shift is 16 to 24, and that the result fits 8 bits, signed,
 * before it is clamped; 0 and 24 that lo and hi are 0 and 15.
 *
 * Or the weights are a Rice code (FORMAT.md, "rice"), which `decode` turns into such programs in scratch, one channel's at a
 * time.
 */
#ifndef MCUGEN_NIBBLES_H
#define MCUGEN_NIBBLES_H

#include "mcugen.h"
#include "sparse.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_nibbles {
    struct mcugen_sparse layer; /* without wide runs and x_plane */
};

/* Of a Rice code the numbers are those of `sparse`, but for these. Its centre is that of all channels of several chunks.
 * Tails of 3 halfwords, as there, are of channels that end with END if their shift is 16 to 24, else with 19. Those of 4
 * halfwords have mult, shift + 256 * the end, and add, low half first; several chunks end with 24 to 26 accordingly. */
enum {
    MCUGEN_NIBBLES_END = MCUGEN_RICE_END, /* + 256 * the entries of a chunk */
    MCUGEN_NIBBLES_WIDE = MCUGEN_RICE_OWN_CENTRES /* 1 for tails of 4 halfwords, or 0, + 256 * the highest pixel */
};

/* x: planes in lanes of nibbles, sealed; y: out.channels planes, sealed here; scratch: only for decode. */
void mcugen1_nibbles_ref(const struct mcugen_nibbles *k, const void *x, void *y, void *scratch);
void mcugen1_nibbles_dsp(const struct mcugen_nibbles *k, const void *x, void *y, void *scratch); /* M4, M7, M33 */
void mcugen1_nibbles_m3(const struct mcugen_nibbles *k, const void *x, void *y,
                        void *scratch); /* M3, M33 without DSP */

static inline void mcugen1_nibbles(const struct mcugen_nibbles *k, const void *x, void *y, void *scratch)
{
#if !defined(__ARM_ARCH_ISA_THUMB) || __ARM_ARCH_ISA_THUMB != 2 || defined(__ARM_FEATURE_MVE) || defined(__ARM_NEON)
    mcugen1_nibbles_ref(k, x, y, scratch);
#elif defined(__ARM_FEATURE_DSP)
    mcugen1_nibbles_dsp(k, x, y, scratch);
#else
    mcugen1_nibbles_m3(k, x, y, scratch);
#endif
}

/* A mcugen_sparse_decode_fn: in assembler from Armv7-M on, elsewhere the same as ref. */
const uint16_t *mcugen1_nibbles_rice(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d, void *scratch);
const uint16_t *mcugen1_nibbles_rice_ref(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d, void *scratch);

#ifdef __cplusplus
}
#endif

#endif
