/* im2col.h - convolution from lanes to lanes whose pixels are gathered once for all channels of y; 8-bit weights.
 *
 *     y[o] = clamp((acc * mult[o] + add[o]) >> shift[o], lo, hi), acc = sum over taps t of w[o][t] * x at place + t
 *
 * For one word of y at a time, four pixels, or for a block of them, its taps are gathered; then the channels of y follow.
 * There are four kinds of program. All end with y = clamp((((acc << up) * mult >> 16) + more) >> 16).
 * mcugen/kernels/im2col.py proves for every channel that acc << up, more and the sum in front of the last shift fit 32
 * bits, and that nothing is rounded before it. Sums have 32 bits, modulo 2^32: garbage rows are not proven.
 *
 * Pairs, for cores with the DSP extension. Two channels, a and b, are
 *
 *     for each pair of taps 256 * a[t] + b[t] in the lower half, 256 * a[t + 1] + b[t + 1] in the upper
 *     scale and more of a; scale and more of b; bits + 0x100 at the last two channels + 0x200 where b is none
 *
 * Summed up as they are, such halves make 256 * A + B; their lower bytes make B, and the difference is A << 8. Then
 *
 *     y of a = clamp((((A << 8 << bits) * scale >> 32) + more) >> 16)
 *     y of b = clamp((((B << up) * mult >> 16) + more) >> 16), with scale = mult << 16 | up
 *
 * Quads, for the others. Pixels less 128 are gathered two in a word, lanes 0 + 65536 * 2, then 1 + 65536 * 3, so that a
 * weight times a word is two products. Four taps are summed up so: the magnitudes of their weights are 255 together at
 * most, so that no sum leaves 16 bits. From A + 65536 * C + 0x8000, the upper half is C. Each is added up in 32 bits, and
 *
 *     the sum of A = the sum of the words - 65536 * the sum of C
 *
 * A channel is
 *
 *     what the sum of the words begins with, 65537 * c - 0x8000 for each quad; what C does, c = 128 * the sum of weights
 *     for each quad its weights, a byte each, the first lowest
 *     for a quad once more, whose weights were too large: 32 + 32 * its number; weights. Any number of these; 0
 *     more; mult << 16 | up + 0x100 at the last channel
 *
 * Bytes and codes, for cores with Helium: groups of 16 taps, whose pixels less 128 are gathered for a block of words. So
 * sums are c = 128 * the sum of weights less than they are. A channel is
 *
 *     its weights, a byte each; or if they are ternary, codes of two bits, 64 in 16 bytes: byte i has those of taps i,
 *     i + 16, i + 32 and i + 48, the first lowest
 *     c << up; 1 << up; mult << 15; more
 *
 * and acc << up is (sum << up) + (c << up), of which VQDMULH takes the product with mult << 15, doubled, >> 32.
 */
#ifndef MCUGEN_IM2COL_H
#define MCUGEN_IM2COL_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A row of y in all channels, or a block of words of rows; the assembler knows the order. */
struct mcugen_im2col_job {
    const uint8_t *x; /* what the taps of the row's first word count from */
    uint32_t x_step;  /* bytes of x from one word of y to the next */
    uint8_t *y;       /* the row's first word, in the first channel */
    const uint8_t *end;
    uint32_t plane;       /* bytes of a channel of y */
    const uint16_t *taps; /* words from the place of an output word to each tap: a multiple of 4 of them */
    uint32_t *gathered;   /* 8 bytes for each tap; up to 20 pairs need none */
    const uint32_t *program;
    uint32_t groups; /* pairs or quads; of pairs the table may have one more */
    uint32_t x_row; /* of bytes and codes: bytes of x from a row of y to the next; of y; rows; channels */
    uint32_t y_row;
    uint32_t rows;
    uint32_t channels;
};

typedef void (*mcugen_im2col_fn)(const struct mcugen_im2col_job *job);

struct mcugen_im2col {
    mcugen_im2col_fn row; /* by kind and number of groups */
    const uint32_t *weights;
    const uint16_t *taps;
    uint32_t x_at; /* words from the start of x to what the first word's taps count from; of y to that word */
    uint32_t y_at;
    uint32_t x_row; /* words of x from one row of y to the next */
    uint16_t rows;  /* of y */
    uint16_t groups; /* at least 1 */
    uint16_t across; /* words of a block, and rows: whole rows, or words of one */
    uint16_t down;
    uint8_t step;   /* words of x between neighbouring words of y */
    uint8_t lo;
    uint8_t hi;
    struct mcugen_lanes out;
};

/* A layer. x: planes in lanes, sealed; y: out.channels planes, sealed here; scratch: as job.gathered. */
void mcugen1_im2col_ref(const struct mcugen_im2col *k, const void *x, void *y, void *scratch);

static inline void mcugen1_im2col(const struct mcugen_im2col *k, const void *x, void *y, void *scratch)
{
    mcugen1_im2col_ref(k, x, y, scratch);
}

/* A row by pairs and by quads, a block by bytes and by codes; the definitions. They write nothing to scratch. */
void mcugen1_im2col_pairs(const struct mcugen_im2col_job *job);
void mcugen1_im2col_quads(const struct mcugen_im2col_job *job);
void mcugen1_im2col_bytes(const struct mcugen_im2col_job *job);
void mcugen1_im2col_codes(const struct mcugen_im2col_job *job);

/* The same: 5, 14 and 20 pairs, up to 20 and any number of pairs, quads; 1 to 4 and any number of groups. */
void mcugen1_im2col5(const struct mcugen_im2col_job *job);
void mcugen1_im2col14(const struct mcugen_im2col_job *job);
void mcugen1_im2col20(const struct mcugen_im2col_job *job);
void mcugen1_im2colfew(const struct mcugen_im2col_job *job);
void mcugen1_im2colmany(const struct mcugen_im2col_job *job);
void mcugen1_im2colquads(const struct mcugen_im2col_job *job);
void mcugen1_im2colbytes1(const struct mcugen_im2col_job *job);
void mcugen1_im2colbytes2(const struct mcugen_im2col_job *job);
void mcugen1_im2colbytes3(const struct mcugen_im2col_job *job);
void mcugen1_im2colbytes4(const struct mcugen_im2col_job *job);
void mcugen1_im2colbytes(const struct mcugen_im2col_job *job);
void mcugen1_im2colcodes1(const struct mcugen_im2col_job *job);
void mcugen1_im2colcodes2(const struct mcugen_im2col_job *job);
void mcugen1_im2colcodes3(const struct mcugen_im2col_job *job);
void mcugen1_im2colcodes4(const struct mcugen_im2col_job *job);
void mcugen1_im2colcodes(const struct mcugen_im2col_job *job);

/* There is no assembly of these for this machine. */
#if !defined(__ARM_FEATURE_DSP)
#define mcugen1_im2col5 mcugen1_im2col_pairs
#define mcugen1_im2col14 mcugen1_im2col_pairs
#define mcugen1_im2col20 mcugen1_im2col_pairs
#define mcugen1_im2colfew mcugen1_im2col_pairs
#define mcugen1_im2colmany mcugen1_im2col_pairs
#endif
#if !defined(__ARM_ARCH_ISA_THUMB) || defined(__ARM_FEATURE_DSP)
#define mcugen1_im2colquads mcugen1_im2col_quads
#endif
#if !defined(__ARM_FEATURE_MVE)
#define mcugen1_im2colbytes1 mcugen1_im2col_bytes
#define mcugen1_im2colbytes2 mcugen1_im2col_bytes
#define mcugen1_im2colbytes3 mcugen1_im2col_bytes
#define mcugen1_im2colbytes4 mcugen1_im2col_bytes
#define mcugen1_im2colbytes mcugen1_im2col_bytes
#define mcugen1_im2colcodes1 mcugen1_im2col_codes
#define mcugen1_im2colcodes2 mcugen1_im2col_codes
#define mcugen1_im2colcodes3 mcugen1_im2col_codes
#define mcugen1_im2colcodes4 mcugen1_im2col_codes
#define mcugen1_im2colcodes mcugen1_im2col_codes
#endif

#ifdef __cplusplus
}
#endif

#endif
