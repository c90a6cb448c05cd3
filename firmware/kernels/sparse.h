/* sparse.h - convolution with ternary weights from lanes to lanes, by lists of the weights that are not zero.
 *
 *     y[o] = clamp((acc * mult[o] + add[o]) >> shift[o], lo, hi), acc = sum of the pixels where w[o] is 1, less the sum
 *     of those where it is -1
 *
 * Every output channel has a program of halfwords (docs/FORMAT.md, "lists16"), which runs once for every strip: 1 to 4
 * neighbouring words of a plane, 4 pixels each; with Helium up to 12. Where the pixels of a weight lie depends on the
 * strip by its place alone, so the program has their distances from there, in words. With n offsets and tokens between
 * them:
 *
 *     offset 1, offset 2, token, offset 3, ..., token 0, 19 or 22 to 26
 *
 * Each entry of a list has its offset loaded by the entry before, so the one behind the last is 0. The first entry
 * sets the sums, then tokens say what comes:
 *
 *     1 .. 16   as many entries: the pixels are added to the sums
 *     17, c     sums = c - sums; c is signed
 *     18        sums = 0
 *     20        32-bit sums = sums as signed numbers; then sums = 0
 *     21        32-bit sums += sums as signed numbers; then sums = 0
 *     0, 19, 23, 25, 26 end: y = clamp((sum * mult + add) >> shift, lo, hi), in 32 bits
 *     22        end: the same for 32-bit sums + sums in place of sum
 *     24        end: that in 64 bits; shift is 16 at least, |add| < 2^31 - 2^23
 *
 * Sums have 16 bits, modulo 2^16. That those which remain fit is proven for every channel by mcugen/kernels/strips.py,
 * and so is that sum * mult + add fits 32 bits, but for 24. 0 and 23 say in addition that shift is 16 at least and that
 * the result fits 16 bits before it is clamped: there are instructions for just that; 0 says that lo and hi are 0 and 255.
 * 25 (26) says the same as 0, but that shift is 15 (14), and that twice (four times) the sum fits 16 bits.
 *
 * 20, 21, 22 and 24 are for channels whose sums need more than 16 bits: between them stand parts that do not, each with a
 * centre of its own, so that the last sum is that of 16 bits and all others have been added to the 32-bit sums.
 *
 * Where x_plane is not 0 each entry is a pixel of the channel itself, so that programs are of bytes (FORMAT.md, "bytes"):
 * offsets are channels, tokens too are bytes, and c is two of them, the lower first. Tokens 20 to 22 and 24 are not there.
 *
 * Or the weights are a Rice code (FORMAT.md, "rice"), a code of blocks ("blocks") or digits of base 3 ("base3x10"), which
 * `decode` turns into such programs in scratch, one channel's at a time: its -1 weights from a middle downwards, its 1
 * weights upwards, so that neither count need be known. No channel of such a layer is split.
 */
#ifndef MCUGEN_SPARSE_H
#define MCUGEN_SPARSE_H

#include "mcugen.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_sparse;

/* What decoding goes on with from one channel to the next; at first 0 but for weights, tails and spare = -16. */
struct mcugen_sparse_decoder {
    int32_t tail[2];         /* of the channel decoded last, as in the tails of programs */
    const uint16_t *weights; /* the next halfword of the code */
    const uint16_t *tails;   /* the next channel's */
    uint32_t bits;           /* read from weights and not used yet */
    int32_t spare;           /* how many there are, less 16; or what else a decoder keeps */
    int32_t rest; /* less the weights from the channel's end to the next that is not 0, that one too; or so */
};

/* Writes the next channel's program to somewhere in scratch and returns it; sets the decoder's tail. */
typedef const uint16_t *(*mcugen_sparse_decode_fn)(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d,
                                                   void *scratch);

struct mcugen_sparse {
    const uint16_t *weights; /* programs of all channels of y, one behind the other, bytes by two; or a code */
    const int32_t *tails; /* of each channel of y: (mult & 0xffff) | shift << 16, add; for its sum, not for acc. Or 0 */
    const uint16_t *runs; /* of strips: first word of x, first word of y, words of y, words of a strip (1 .. 4) */
    uint16_t run_count;
    uint8_t lo;
    uint8_t hi;
    struct mcugen_lanes out;
    uint8_t step; /* words of x between neighbouring words of y, 1 or 2: stride_w */
    uint8_t wide_run_count; /* behind the runs: others for Helium, or none; their last strip may overlap */
    uint16_t x_plane; /* 0; or programs are of bytes, step is 1, and these are the words of a channel of x */
    const uint16_t *packing; /* 0; or packed tails; or, of a code, MCUGEN_RICE_K and what follows it */
    mcugen_sparse_decode_fn decode; /* 0: weights are programs; else there are no tails but in packing */
};

/* A packed tail has 3 halfwords: mult, then 32 bits, low half first, with the shift in 5 and add >> max(0, shift - 16)
 * in the others. Returns the shift.
 */
static inline uint32_t mcugen_sparse_unpack_tail(const uint16_t *packed, int32_t *tail)
{
    const uint32_t rest = packed[1] | ((uint32_t)packed[2] << 16), shift = rest & 31U;
    const uint32_t scale = packed[0] | (shift << 16), unit = 1U << ((shift > 16U) ? (shift - 16U) : 0U);
    const int32_t add = (int32_t)rest >> 5;

    tail[0] = (int32_t)scale;
    tail[1] = add * (int32_t)unit;
    return shift;
}

/* Codes are in the order of y's channels, rows and columns of the kernel, x's channels. Behind these numbers is
 * a packed tail for each channel of y, with a fourth halfword, the centre, if OWN_CENTRES. A channel ends with END if
 * its shift is 16 or more, else with token 19.
 */
enum {
    MCUGEN_RICE_K, /* or the parameter of another code */
    MCUGEN_RICE_CHANNELS, /* of x */
    MCUGEN_RICE_PLANE, /* words of a channel of x */
    MCUGEN_RICE_COLUMNS, /* of the kernel */
    MCUGEN_RICE_ROWS, /* of the kernel */
    MCUGEN_RICE_COLUMN, /* words from a column of the kernel to the next */
    MCUGEN_RICE_ROW, /* words from the last column to the first of the next row, modulo 2^16 */
    MCUGEN_RICE_CENTRE, /* signed, of all channels */
    MCUGEN_RICE_MIDDLE, /* 32 bytes of scratch before the middle */
    MCUGEN_RICE_END, /* token 0 or 23 */
    MCUGEN_RICE_OWN_CENTRES, /* 0 or 1 */
    MCUGEN_RICE_TAILS
};

/* What decoding begins with, also where there is nothing to decode. */
static inline struct mcugen_sparse_decoder mcugen_sparse_start(const struct mcugen_sparse *k)
{
    struct mcugen_sparse_decoder d = {{0, 0}, k->weights, NULL, 0, -16, 0};

    if (k->decode != NULL) {
        d.tails = &k->packing[MCUGEN_RICE_TAILS];
    }
    return d;
}

/* Channel o, one after the other: its tail, and its program, or 0 if that is behind the program of the channel before. */
static inline const int32_t *mcugen_sparse_channel(const struct mcugen_sparse *k, uint32_t o,
                                                   struct mcugen_sparse_decoder *d, void *scratch,
                                                   const uint16_t **program)
{
    const int32_t *tail = d->tail;

    *program = NULL;
    if (k->decode != NULL) {
        *program = k->decode(k, d, scratch);
    } else if (k->tails != NULL) {
        tail = &k->tails[2u * o];
    } else {
        (void)mcugen_sparse_unpack_tail(&k->packing[3u * o], d->tail);
    }
    return tail;
}

/* x: planes in lanes, sealed; y: out.channels planes, sealed here; scratch: only for decode. Where channel o reads plane o
 * only, y may overlap x if each of its planes ends where the same plane of x begins, or before. */
void mcugen1_sparse_ref(const struct mcugen_sparse *k, const void *x, void *y, void *scratch);
void mcugen1_sparse_dsp(const struct mcugen_sparse *k, const void *x, void *y, void *scratch); /* M4, M7, M33 */
void mcugen1_sparse_mve(const struct mcugen_sparse *k, const void *x, void *y, void *scratch); /* M55, M85 */
void mcugen1_sparse_m3(const struct mcugen_sparse *k, const void *x, void *y, void *scratch); /* M3, M33 without DSP */
void mcugen1_sparse_m0(const struct mcugen_sparse *k, const void *x, void *y, void *scratch); /* M0, M0+, M23 */

void mcugen1_sparse_neon(const struct mcugen_sparse *k, const void *x, void *y, void *scratch); /* Linux on Arm */

static inline void mcugen1_sparse(const struct mcugen_sparse *k, const void *x, void *y, void *scratch)
{
#if defined(__ARM_FEATURE_MVE)
    mcugen1_sparse_mve(k, x, y, scratch);
#elif defined(__ARM_NEON)
    mcugen1_sparse_neon(k, x, y, scratch);
#elif defined(__ARM_FEATURE_DSP)
    mcugen1_sparse_dsp(k, x, y, scratch);
#elif defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
    mcugen1_sparse_m3(k, x, y, scratch);
#elif defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
    mcugen1_sparse_m0(k, x, y, scratch);
#else
    mcugen1_sparse_ref(k, x, y, scratch);
#endif
}

/* A mcugen_sparse_decode_fn each: the Rice code and blocks, in assembler for Arm's M cores, elsewhere the same as ref; digits
 * of base 3. */
const uint16_t *mcugen1_sparse_rice(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d, void *scratch);
const uint16_t *mcugen1_sparse_blocks(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d, void *scratch);
const uint16_t *mcugen1_sparse_base3(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d, void *scratch);
const uint16_t *mcugen1_sparse_rice_ref(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d, void *scratch);
const uint16_t *mcugen1_sparse_blocks_ref(const struct mcugen_sparse *k, struct mcugen_sparse_decoder *d,
                                          void *scratch);

#ifdef __cplusplus
}
#endif

#endif
