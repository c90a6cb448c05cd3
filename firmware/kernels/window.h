/* window.h - depthwise convolution with windows of 3 x 3 from lanes to lanes, by multiplication; any weights of 8 bits.
 *
 *     y[o] = clamp((acc * mult[o] + add[o]) >> shift[o], lo, hi), acc = sum over i, j of w[o][i][j] * x at place + (i, j)
 *
 * What direct.h does with a program of rows, for the one window that nearly all depthwise layers have. One function goes
 * over all channels: it unpacks the nine weights, then makes a row of y after the other in strips of two words, and
 * where the words are odd, a last one of one word. Its neighbours in a row of the window lie side by side, its rows
 * `pitch` bytes apart. Sums have 32 bits, modulo 2^32, and the tail is direct.h's:
 *
 *     y = clamp((((acc << up) * mult >> 16) + more) >> 16, lo, hi)
 *
 * with up = 32 - shift and more = add * 2^(16 - shift), proven by mcugen/kernels/direct.py. A channel's scale is
 *
 *     mult << 16 | some bits of up, by which its weights fit 16 bits << 8 | the others
 *
 * of which the others are best 6, or window_dsp.h shifts the sums.
 */
#ifndef MCUGEN_WINDOW_H
#define MCUGEN_WINDOW_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Channels of a layer. The functions change it; window_cores.h knows the order. */
struct mcugen_window_job {
    const int8_t *weights; /* 9 for each channel */
    const int32_t *tails; /* of each channel scale, as above, and more */
    const uint8_t *x; /* the first word's window */
    uint8_t *y; /* the first word */
    int32_t x_plane; /* bytes from channel to channel */
    int32_t y_plane;
    uint32_t channels; /* at least 1 */
    uint32_t odd; /* words of a row of y modulo 2 */
    uint32_t rows; /* of y */
    int32_t x_gap; /* bytes from behind a row of y to the next, of x and of y */
    int32_t y_gap;
    int32_t x_row; /* bytes of x between rows of y */
    int32_t x_words; /* bytes of x that the strips of two words of a row go on by */
    int32_t pitch; /* bytes of x between rows of the window */
    uint32_t step; /* words of x between neighbouring words of y: 1 or 2 */
    uint32_t full; /* of the rows the first ones, with the image in all lanes: 1 .. rows - 1; mixed functions only */
};

typedef void (*mcugen_window_fn)(struct mcugen_window_job *job);

struct mcugen_window {
    mcugen_window_fn strips; /* by step and lanes */
    const uint8_t *weights; /* 9 for each channel, packed */
    mcugen_unpack_fn unpack; /* 0: they are bytes */
    const int32_t *tails; /* of each channel */
    uint32_t x_plane; /* words of a plane of x */
    uint16_t x_first; /* word of the first window */
    uint16_t y_first;
    uint16_t words; /* of a row of y, at least 2 */
    uint16_t rows;
    uint16_t full; /* of the rows the first ones, in all of whose lanes is the image, where `strips` asks for that */
    uint16_t x_row; /* words of x between rows of y */
    uint16_t pitch; /* words of x between rows of the window */
    uint8_t step; /* 1 or 2 */
    uint8_t lo;
    uint8_t hi;
    struct mcugen_lanes out;
};

/* A layer. x: planes in lanes, sealed; y: as many planes, sealed here; scratch: 9 bytes, where weights are packed. */
void mcugen1_window_ref(const struct mcugen_window *k, const void *x, void *y, void *scratch);

static inline void mcugen1_window(const struct mcugen_window *k, const void *x, void *y, void *scratch)
{
    mcugen1_window_ref(k, x, y, scratch);
}

/* All of it but limits and the seal. */
void mcugen1_window_layer(const struct mcugen_window *k, const void *x, void *y, void *scratch);

/* The channels of a job, with any step; the definition. */
void mcugen1_window_words(struct mcugen_window_job *job);

/* The same with a step of 1 and of 2; `low`: for planes in whose highest lane no row is of the image. Anything may be left
 * in that lane, which the seal writes. `mixed`: for planes where that is so behind the first rows.
 */
void mcugen1_window3(struct mcugen_window_job *job);
void mcugen1_window3x2(struct mcugen_window_job *job);
void mcugen1_window3low(struct mcugen_window_job *job);
void mcugen1_window3x2low(struct mcugen_window_job *job);
void mcugen1_window3mixed(struct mcugen_window_job *job);
void mcugen1_window3x2mixed(struct mcugen_window_job *job);

#if !defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_FEATURE_DSP) /* there is no assembly for this machine */
#define mcugen1_window3 mcugen1_window_words
#define mcugen1_window3x2 mcugen1_window_words
#define mcugen1_window3low mcugen1_window_words
#define mcugen1_window3x2low mcugen1_window_words
#define mcugen1_window3mixed mcugen1_window_words
#define mcugen1_window3x2mixed mcugen1_window_words
#endif

#ifdef __cplusplus
}
#endif

#endif
