/* window_nibbles.h - depthwise convolution with windows of 3 x 3 from lanes to lanes of nibbles; any weights of 8 bits.
 *
 * As `window`, whose struct, job and loops these are, but a word has eight pixels. Products of 4 bits and 8 have sums of
 * nine that fit 16 bits, so a 32-bit register has two sums, and a multiplication makes two products:
 *
 *     sum l, 0 <= l < 4, = centre * 0x10001 + sum over i, j of w[o][i][j] * (x at place + (i, j) >> 4 l & 0x000f000f)
 *
 * modulo 2^32, of which the lower half is S of lane l and the upper half that of lane l + 4: the centre, a multiple of 2^13,
 * keeps both in 0 .. 2^15 - 1, whatever the pixels, so that nothing carries from one to the other. Then
 *
 *     y = clamp((S * mult + add) >> shift, lo, hi), in 32 bits
 *
 * A channel's scale is mult << 16 | centre >> 13 << 8 | shift. mcugen/kernels/window.py proves that the result fits 16 bits
 * before it is clamped, that 17 <= shift <= 29, and that add is a multiple of 2^(shift - 16).
 */
#ifndef MCUGEN_WINDOW_NIBBLES_H
#define MCUGEN_WINDOW_NIBBLES_H

#include "mcugen.h"
#include "window.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_window_nibbles {
    struct mcugen_window layer; /* unpack is 0; `full` means nothing */
};

/* A layer. x: planes in lanes of nibbles, sealed; y: as many planes, sealed here; scratch: none. y may overlap x as in
 * depthwise_lanes.h. */
void mcugen1_window_nibbles_ref(const struct mcugen_window_nibbles *k, const void *x, void *y);

static inline void mcugen1_window_nibbles(const struct mcugen_window_nibbles *k, const void *x, void *y)
{
    mcugen1_window_nibbles_ref(k, x, y);
}

/* The channels of a job, with any step; the definition. */
void mcugen1_window_nibble_words(struct mcugen_window_job *job);

/* The same with a step of 1 and of 2. */
void mcugen1_window3nibbles(struct mcugen_window_job *job);
void mcugen1_window3x2nibbles(struct mcugen_window_job *job);

#if !defined(__ARM_ARCH_ISA_THUMB) || __ARM_ARCH_ISA_THUMB != 2 /* there is no assembly for this machine */
#define mcugen1_window3nibbles mcugen1_window_nibble_words
#define mcugen1_window3x2nibbles mcugen1_window_nibble_words
#endif

#ifdef __cplusplus
}
#endif

#endif
