/* direct.h - convolution and depthwise convolution from lanes to lanes, by multiplication; any weights of 8 bits.
 *
 *     y[o] = clamp((acc * mult[o] + add[o]) >> shift[o], lo, hi), acc = sum over taps t of w[o][t] * x at place + t
 *
 * Where the pixels of a tap lie depends on the output word by its place alone. Neighbouring taps make rows of 1 to 5:
 * for each channel its weights are unpacked to a program of rows in scratch, which runs over strips of two words of y,
 * eight pixels. A row of the program is
 *
 *     bytes from the row before, times 2, plus 1 in the last; then for each tap a word of two weights, its own in the
 *     lower half and the next tap's, or 0, in the upper
 *
 * What the first row counts from is the last row of the strip before. Sums have 32 bits, modulo 2^32. The tail is
 *
 *     y = clamp((((acc << up) * mult >> 16) + more) >> 16, lo, hi)
 *
 * with up = 32 - shift and more = add * 2^(16 - shift); weights may be scaled by some or all of the bits of up. mcugen/kernels/direct.py proves for every channel that
 * acc << up, more and the sum in front of the last shift fit 32 bits, and that nothing is rounded before it.
 */
#ifndef MCUGEN_DIRECT_H
#define MCUGEN_DIRECT_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Rows of strips of one channel, and what is computed for them; direct_dsp.h, direct_m3.h and direct_m0.h know the order. */
struct mcugen_direct_job {
    const uint8_t *x;       /* what the first row of the program counts from, in the first strip */
    uint8_t *y;
    const uint8_t *end;     /* of the first row of y */
    int32_t scale;          /* mult << 16 | bits by which weights are scaled << 8 | up */
    int32_t more;
    int32_t x_gap;          /* bytes to add to x and y after each row of y, and to its end */
    int32_t y_gap;
    int32_t y_row;
    const uint8_t *last;    /* end of the last row of y */
    const int32_t *program;
    uint32_t taps;          /* of a row of the program */
    uint32_t step;          /* words of x between neighbouring words of y */
    uint32_t words;         /* of a strip: 1 or 2 */
};

typedef void (*mcugen_direct_fn)(const struct mcugen_direct_job *job);

struct mcugen_direct {
    mcugen_direct_fn strips; /* of two words: by taps and step */
    mcugen_direct_fn single; /* of one word: by taps */
    const uint8_t *weights;  /* row_count * taps for each channel of y, packed */
    mcugen_unpack_fn unpack; /* 0: they are bytes */
    const int32_t *rows;     /* first words of the program's rows */
    const int32_t *tails;    /* scale and more of each channel of y */
    const uint16_t *runs;    /* first word of x, first word of y, words of a row of y (1, or an even number), rows */
    int32_t back;            /* bytes from the first word of x to what the first row counts from */
    uint32_t x_row;          /* words of x from one row of y to the next */
    uint32_t x_plane;        /* words from the taps of one channel of y to those of the next */
    uint16_t row_count;
    uint16_t run_count;
    uint8_t taps;            /* 1 .. 5 */
    uint8_t step;            /* 1 or 2 */
    uint8_t lo;
    uint8_t hi;
    struct mcugen_lanes out;
};

/* A layer. x: planes in lanes, sealed; y: out.channels planes, sealed here; scratch: a channel's program and, behind it,
 * where they are packed, its weights, a byte each. Depthwise (x_plane is not 0), y may overlap x if each of its planes
 * ends where the same plane of x begins, or before. */
void mcugen1_direct_ref(const struct mcugen_direct *k, const void *x, void *y, void *scratch);

void mcugen1_direct_mve(const struct mcugen_direct *k, const void *x, void *y, void *scratch); /* M55, M85 */

void mcugen1_direct_scaled_mve(const int8_t *w, uint32_t n, int32_t up, int32_t *to); /* to[i] = w[i] << up */
void mcugen1_direct_limited_mve(uint8_t *y, uint32_t n, uint32_t lo, uint32_t hi);    /* y[i] to lo .. hi */

static inline void mcugen1_direct(const struct mcugen_direct *k, const void *x, void *y, void *scratch)
{
#if defined(__ARM_FEATURE_MVE)
    mcugen1_direct_mve(k, x, y, scratch);
#else
    mcugen1_direct_ref(k, x, y, scratch);
#endif
}

/* Strips, for any taps, step and words; the definition. */
void mcugen1_direct_words(const struct mcugen_direct_job *job);

/* Strips of two words, for 1 to 5 taps and a step of 1, or of 2 where x2 is said; strips of one word. */
void mcugen1_direct1(const struct mcugen_direct_job *job);
void mcugen1_direct2(const struct mcugen_direct_job *job);
void mcugen1_direct3(const struct mcugen_direct_job *job);
void mcugen1_direct4(const struct mcugen_direct_job *job);
void mcugen1_direct5(const struct mcugen_direct_job *job);
void mcugen1_direct1x2(const struct mcugen_direct_job *job);
void mcugen1_direct2x2(const struct mcugen_direct_job *job);
void mcugen1_direct3x2(const struct mcugen_direct_job *job);
void mcugen1_direct4x2(const struct mcugen_direct_job *job);
void mcugen1_direct5x2(const struct mcugen_direct_job *job);
void mcugen1_direct1one(const struct mcugen_direct_job *job);
void mcugen1_direct2one(const struct mcugen_direct_job *job);
void mcugen1_direct3one(const struct mcugen_direct_job *job);
void mcugen1_direct4one(const struct mcugen_direct_job *job);
void mcugen1_direct5one(const struct mcugen_direct_job *job);

#if !defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_FEATURE_DSP) /* there is no assembly for this machine */
#define mcugen1_direct1 mcugen1_direct_words
#define mcugen1_direct2 mcugen1_direct_words
#define mcugen1_direct3 mcugen1_direct_words
#define mcugen1_direct4 mcugen1_direct_words
#define mcugen1_direct5 mcugen1_direct_words
#define mcugen1_direct1x2 mcugen1_direct_words
#define mcugen1_direct2x2 mcugen1_direct_words
#define mcugen1_direct3x2 mcugen1_direct_words
#define mcugen1_direct4x2 mcugen1_direct_words
#define mcugen1_direct5x2 mcugen1_direct_words
#define mcugen1_direct1one mcugen1_direct_words
#define mcugen1_direct2one mcugen1_direct_words
#define mcugen1_direct3one mcugen1_direct_words
#define mcugen1_direct4one mcugen1_direct_words
#define mcugen1_direct5one mcugen1_direct_words
#endif

#ifdef __cplusplus
}
#endif

#endif
