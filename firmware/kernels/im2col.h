/* im2col.h - convolution from lanes to lanes whose pixels are gathered once for all channels of y; 8-bit weights.
 *
 *     y[o] = clamp((acc * mult[o] + add[o]) >> shift[o], lo, hi), acc = sum over taps t of w[o][t] * x at place + t
 *
 * For one word of y at a time, four pixels, its taps are gathered in scratch by pairs; then the channels of y follow by
 * twos, a and b. A word of the program is a pair of taps of both:
 *
 *     256 * a[t] + b[t] in the lower half, 256 * a[t + 1] + b[t + 1] in the upper
 *
 * Summed up as they are, such halves make 256 * A + B; their lower bytes make B, and the difference is A << 8. Behind
 * the words of two channels are five more:
 *
 *     scale and more of a; scale and more of b; bits by which A << 8 is shifted + 0x100 at the last two channels + 0x200
 *     where b is none
 *
 *     y of a = clamp((((A << 8 << bits) * scale >> 32) + more) >> 16)
 *     y of b = clamp((((B << up) * mult >> 16) + more) >> 16), with scale = mult << 16 | up
 *
 * Sums have 32 bits, modulo 2^32. mcugen/kernels/im2col.py proves for every channel that the shifted sums, more and the
 * sum in front of the last shift fit 32 bits, and that nothing is rounded before it.
 */
#ifndef MCUGEN_IM2COL_H
#define MCUGEN_IM2COL_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A row of y in all channels; im2col_dsp.h knows the order. */
struct mcugen_im2col_job {
    const uint8_t *x; /* what the taps of the row's first word count from */
    uint32_t x_step;  /* bytes of x from one word of y to the next */
    uint8_t *y;       /* the row's first word, in the first channel */
    const uint8_t *end;
    uint32_t plane;       /* bytes of a channel of y */
    const uint16_t *taps; /* words from the place of an output word to each tap: a multiple of 4 of them */
    uint32_t *gathered;   /* 16 bytes for each pair of taps that the table has */
    const uint32_t *program;
    uint32_t pairs; /* of taps that have weights: all in the table, or all but the last */
};

typedef void (*mcugen_im2col_fn)(const struct mcugen_im2col_job *job);

struct mcugen_im2col {
    mcugen_im2col_fn row; /* by pairs */
    const uint32_t *weights;
    const uint16_t *taps;
    uint32_t x_at; /* words from the start of x to what the first word's taps count from; of y to that word */
    uint32_t y_at;
    uint32_t x_row; /* words of x from one row of y to the next */
    uint16_t rows;  /* of y */
    uint16_t pairs; /* at least 1 */
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

/* A row, for any number of pairs; the definition. Writes nothing to scratch. */
void mcugen1_im2col_row(const struct mcugen_im2col_job *job);

/* The same for 1 to 20 pairs, and for any number. */
void mcugen1_im2col20(const struct mcugen_im2col_job *job);
void mcugen1_im2colmany(const struct mcugen_im2col_job *job);

#if !defined(__ARM_FEATURE_DSP) /* there is no assembly for this machine */
#define mcugen1_im2col20 mcugen1_im2col_row
#define mcugen1_im2colmany mcugen1_im2col_row
#endif

#ifdef __cplusplus
}
#endif

#endif
