/* kronecker.h - convolution of a flat image into lanes, two pixels by two weights a multiplication; 8-bit weights.
 *
 *     y[o] = clamp((acc * mult[o] + add[o]) >> shift[o], lo, hi), acc = sum over taps t of w[o][t] * x at place + t
 *
 * Kronecker's substitution: the coefficients of a product of polynomials are the digits of a product of numbers. With
 * a and b the weights of a row's columns j + step and j, and p and q the pixels of column j for neighbouring places,
 *
 *     (a + 2^21 b) * (p + 2^21 q) = a p + 2^21 (a q + b p) + 2^42 b q
 *
 * The middle digit is what both taps make of the first place, the lowest is part of the place before it, the highest of
 * the place behind it. So a word of two pixels and a word of two weights, a group, are four products, which 64 bits add
 * up over all groups. The sum of a place's odd neighbour is a highest digit and the next word's lowest.
 *
 * Sums keep within +-2^19 (mcugen/kernels/kronecker.py proves it of every part of a sum), so no digit meets the next.
 * Behind a row's last place, where pixels may be anything, only later places are spoilt: digits carry upwards.
 * They end with y = clamp(((acc << 12) * scale >> 32) + more) >> 16), exact for the channels that are accepted.
 *
 * A row of y is cut into blocks of four and of three words, made from right to left: a block leaves the lowest digits of
 * its first word, << 12, for the block to the left of it. What a row begins with is the share of pixels to the right
 * of its last word, a constant for each channel: they are pads, or what they make is garbage in pad columns of y.
 *
 * A channel of the program is a word for each group, then scale and more.
 */
#ifndef MCUGEN_KRONECKER_H
#define MCUGEN_KRONECKER_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MCUGEN_KRONECKER_GROUPS 20 /* at most, and so many runs */

/* Blocks of a row in all channels, from the last one on to the left; the assembler knows the order. */
struct mcugen_kronecker_job {
    const uint8_t *const *rows; /* of each run the pixel of a row's first place */
    uint32_t at;                /* bytes from there to the last block's first place */
    uint32_t runs;
    const int32_t *program;
    uint32_t groups; /* as many as runs, or twice as many: columns j and j + 1 of a run */
    uint32_t *carry; /* of each channel: the lowest digits to the right, << 12, then the block's */
    uint8_t *y;      /* the last block's first byte, in the first channel */
    const uint8_t *end;
    uint32_t plane; /* bytes of a channel of y */
    uint32_t blocks;
};

typedef void (*mcugen_kronecker_fn)(const struct mcugen_kronecker_job *job);

/* A run: pixels of a row of x from a column on, step bytes apart. Runs are ordered by rows of the window, channels of x,
 * columns.
 */
struct mcugen_kronecker {
    mcugen_kronecker_fn four; /* of four and of three words, by step */
    mcugen_kronecker_fn three;
    const int32_t *weights;
    const uint32_t *first;   /* of each channel, << 12; 0: none is needed */
    const uint16_t *columns; /* of the runs in a row */
    uint16_t column_count;
    uint16_t kernel_h;
    uint16_t groups;
    uint16_t x_h;
    uint16_t x_w;
    uint16_t x_c;
    uint16_t span;   /* rows of x that a row of y sees */
    uint16_t padded; /* bytes of a row of x with pads at both ends, as far as it is read, a multiple of 4 */
    uint16_t top;
    uint16_t left;
    uint16_t fours; /* blocks of a row, from left to right: of four words, then of three */
    uint16_t threes;
    uint8_t dilation; /* of rows */
    uint8_t stride;   /* of rows */
    uint8_t step;     /* bytes from place to place: 1 or 2 */
    uint8_t copied;   /* 1: rows are copied to get pads; 0: they need none */
    uint8_t pad_value;
    uint8_t lo;
    uint8_t hi;
    struct mcugen_lanes out;
};

/* A layer. x: flat, any alignment; y: planes in lanes, sealed here; scratch: a word for each channel of y, then padded
 * bytes: copied, span times for each channel of x; else once. */
void mcugen1_kronecker_ref(const struct mcugen_kronecker *k, const void *x, void *y, void *scratch);

static inline void mcugen1_kronecker(const struct mcugen_kronecker *k, const void *x, void *y, void *scratch)
{
    mcugen1_kronecker_ref(k, x, y, scratch);
}

/* Blocks; the definitions. The figure is the step. With a step of 2 a run has two groups. */
void mcugen1_kronecker_four1(const struct mcugen_kronecker_job *job);
void mcugen1_kronecker_four2(const struct mcugen_kronecker_job *job);
void mcugen1_kronecker_three1(const struct mcugen_kronecker_job *job);
void mcugen1_kronecker_three2(const struct mcugen_kronecker_job *job);

/* The same, by words of a block and step. */
void mcugen1_kronecker4(const struct mcugen_kronecker_job *job);
void mcugen1_kronecker4x2(const struct mcugen_kronecker_job *job);
void mcugen1_kronecker3(const struct mcugen_kronecker_job *job);
void mcugen1_kronecker3x2(const struct mcugen_kronecker_job *job);

/* For exactly 18 and 20 groups; the last one is for rows of five places, leaves no carry and writes nothing beyond. */
void mcugen1_kronecker4g18(const struct mcugen_kronecker_job *job);
void mcugen1_kronecker4x2g18(const struct mcugen_kronecker_job *job);
void mcugen1_kronecker3x2g20(const struct mcugen_kronecker_job *job);

/* There is no assembly of these for this machine. */
#if !defined(__ARM_FEATURE_DSP)
#define mcugen1_kronecker4 mcugen1_kronecker_four1
#define mcugen1_kronecker4x2 mcugen1_kronecker_four2
#define mcugen1_kronecker3 mcugen1_kronecker_three1
#define mcugen1_kronecker3x2 mcugen1_kronecker_three2
#define mcugen1_kronecker4g18 mcugen1_kronecker_four1
#define mcugen1_kronecker4x2g18 mcugen1_kronecker_four2
#define mcugen1_kronecker3x2g20 mcugen1_kronecker_three2
#endif

#ifdef __cplusplus
}
#endif

#endif
