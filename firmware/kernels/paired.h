/* paired.h - convolution with ternary weights from lanes to lanes, two output channels at a time where that is less work.
 *
 *     y[o] = clamp((acc * mult[o] + add[o]) >> shift[o], lo, hi), as sparse.h has it
 *
 * Where two channels both have a weight, it is added to one sum for both. Of the channels a and b let P be the pixels
 * of equal weights, Q those of opposite ones (with the sign that a has), A and B those where only one has a weight:
 *
 *     acc[a] = A + P + Q, acc[b] = B + P - Q
 *
 * A program is one of sparse.h (docs/FORMAT.md, "lists16"), for one channel, or one of both, with these tokens besides:
 *
 *     29        kept = sums
 *     30        kept = sums + 2 * kept
 *     31, 32    y of b = clamp((sum * mult + add) >> shift, lo, hi) as tokens 0, 23 have it; then sums = kept
 *     33        the same as token 22 has it, for 32-bit sums + sums in place of sum
 *
 * so that it can be, each list with its minus part, token 17 (c - sums), its plus part, or the other way round:
 *
 *     sums = -Q, 29, sums = -Q + P = P - Q as -(P - Q), 30 (kept = -(P - Q) - 2 Q = -(P + Q)), sums = c[b] + B + P - Q, 31,
 *     sums = c[a] + A + P + Q, 0
 *
 * Sums have 16 bits, modulo 2^16, those kept too: all of this is linear, so a sum that remains is acc + c modulo 2^16,
 * and it fits 16 bits, as is proven for each channel by itself (mcugen/kernels/paired.py). A channel of more weights is
 * split (tokens 20, 22, 33): behind 20 come some of its own lists, A or B.
 */
#ifndef MCUGEN_PAIRED_H
#define MCUGEN_PAIRED_H

#include "sparse.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_paired;

/* Writes the next unit's program to scratch and returns it. pair: it has two channels, else one. */
typedef const uint16_t *(*mcugen_paired_decode_fn)(const struct mcugen_paired *k, struct mcugen_sparse_decoder *d,
                                                   uint32_t pair, void *scratch);

struct mcugen_paired {
    const uint16_t *weights; /* programs of all units, one behind the other; or a code */
    const uint16_t *units; /* of one channel or two: what MCUGEN_UNIT says of a, then of b, in the order of programs */
    const uint16_t *runs; /* of strips, as in sparse.h */
    uint16_t run_count;
    uint8_t lo;
    uint8_t hi;
    struct mcugen_lanes out;
    uint8_t step;
    uint16_t unit_count;
    const uint16_t *packing; /* 0; or, of a code, MCUGEN_PAIRED_K and what follows it */
    mcugen_paired_decode_fn decode; /* 0: weights are programs */
};

/* The code (docs/FORMAT.md, "pairs rice") has eight lists for a pair, or the last two of them, each a Rice code of gaps in
 * the order of rows and columns of the kernel, x's channels. Behind these numbers stand the offset of the last channel
 * of each pixel of the kernel, and what ends each list: tokens, of which 17 has its centre behind it.
 */
enum {
    MCUGEN_PAIRED_K,
    MCUGEN_PAIRED_CHANNELS, /* of x */
    MCUGEN_PAIRED_PLANE, /* words of a channel of x */
    MCUGEN_PAIRED_TAPS, /* pixels of the kernel */
    MCUGEN_PAIRED_ALONE, /* halfwords of tokens before those of the last two lists */
    MCUGEN_PAIRED_OFFSETS
};

/* Of a channel: its number, and its packed tail (mcugen_sparse_unpack_tail). */
enum {
    MCUGEN_UNIT_CHANNEL,
    MCUGEN_UNIT_TAIL,
    MCUGEN_UNIT = 4,
    MCUGEN_UNIT_PAIR = 0x8000 /* in a's number, if b follows */
};

/* x: planes in lanes, sealed; y: out.channels planes, sealed here; scratch: only for decode. */
void mcugen1_paired_ref(const struct mcugen_paired *k, const void *x, void *y, void *scratch);
void mcugen1_paired_dsp(const struct mcugen_paired *k, const void *x, void *y, void *scratch); /* M4, M7, M33 */
void mcugen1_paired_m3(const struct mcugen_paired *k, const void *x, void *y, void *scratch); /* M3, M33 without DSP */

static inline void mcugen1_paired(const struct mcugen_paired *k, const void *x, void *y, void *scratch)
{
#if !defined(__ARM_ARCH_ISA_THUMB) || __ARM_ARCH_ISA_THUMB != 2 || defined(__ARM_FEATURE_MVE) || defined(__ARM_NEON)
    mcugen1_paired_ref(k, x, y, scratch);
#elif defined(__ARM_FEATURE_DSP)
    mcugen1_paired_dsp(k, x, y, scratch);
#else
    mcugen1_paired_m3(k, x, y, scratch);
#endif
}

/* A mcugen_paired_decode_fn each, in assembler for Armv7-M, elsewhere the same as ref. */
const uint16_t *mcugen1_paired_rice(const struct mcugen_paired *k, struct mcugen_sparse_decoder *d, uint32_t pair,
                                    void *scratch);
const uint16_t *mcugen1_paired_rice_ref(const struct mcugen_paired *k, struct mcugen_sparse_decoder *d, uint32_t pair,
                                        void *scratch);

#ifdef __cplusplus
}
#endif

#endif
