/* sparse.h - convolution with ternary weights from lanes to lanes, by lists of the weights that are not zero.
 *
 *     y[o] = clamp((acc * mult[o] + add[o]) >> shift[o], lo, hi), acc = sum of the pixels where w[o] is 1, less the sum
 *     of those where it is -1
 *
 * Every output channel has a program of halfwords (docs/FORMAT.md, "lists16"), which runs once for every strip: 1 to 4
 * neighbouring words of a plane, 4 pixels each. Where the pixels of a weight lie depends on the strip by its place
 * alone, so the program has their distances from there, in words. With n offsets and tokens between them:
 *
 *     offset 1, offset 2, token, offset 3, ..., token 0, 19, 22, 23 or 24
 *
 * Each entry of a list has its offset loaded by the entry before, so the one behind the last is 0. The first entry
 * sets the sums, then tokens say what comes:
 *
 *     1 .. 16   as many entries: the pixels are added to the sums
 *     17, c     sums = c - sums; c is signed
 *     18        sums = 0
 *     20        32-bit sums = sums as signed numbers; then sums = 0
 *     21        32-bit sums += sums as signed numbers; then sums = 0
 *     0, 19, 23 end: y = clamp((sum * mult + add) >> shift, lo, hi), in 32 bits
 *     22        end: the same for 32-bit sums + sums in place of sum
 *     24        end: that in 64 bits; shift is 16 at least, |add| < 2^31 - 2^23
 *
 * Sums have 16 bits, modulo 2^16. That those which remain fit is proven for every channel by mcugen/kernels/sparse.py,
 * and so is that sum * mult + add fits 32 bits, but for 24. 0 and 23 say in addition that shift is 16 at least and that the result
 * fits 16 bits before it is clamped: there are instructions for just that; 0 says that lo and hi are 0 and 255.
 *
 * 20, 21, 22 and 24 are for channels whose sums need more than 16 bits: between them stand parts that do not, each with a
 * centre of its own, so that the last sum is that of 16 bits and all others have been added to the 32-bit sums.
 */
#ifndef MCUGEN_SPARSE_H
#define MCUGEN_SPARSE_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_sparse {
    const uint16_t *weights;  /* programs of all channels of y, one behind the other */
    const int32_t *tails;     /* of each channel of y: (mult & 0xffff) | shift << 16, add; for its sum, not for acc */
    const uint16_t *runs;     /* of strips: first word of x, first word of y, words of y, words of a strip (1 .. 4) */
    uint16_t run_count;
    uint8_t lo;
    uint8_t hi;
    struct mcugen_lanes out;
    uint8_t step; /* words of x between neighbouring words of y, 1 or 2: stride_w */
};

/* x: planes in lanes, sealed; y: out.channels planes, sealed here. */
void mcugen1_sparse_ref(const struct mcugen_sparse *k, const void *x, void *y);
void mcugen1_sparse_dsp(const struct mcugen_sparse *k, const void *x, void *y); /* M4, M7, M33 */
void mcugen1_sparse_m3(const struct mcugen_sparse *k, const void *x, void *y);  /* M3, M33 without DSP */
void mcugen1_sparse_m0(const struct mcugen_sparse *k, const void *x, void *y);  /* M0, M0+, M23 */

static inline void mcugen1_sparse(const struct mcugen_sparse *k, const void *x, void *y)
{
#if defined(__ARM_FEATURE_DSP)
    mcugen1_sparse_dsp(k, x, y);
#elif defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
    mcugen1_sparse_m3(k, x, y);
#elif defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
    mcugen1_sparse_m0(k, x, y);
#else
    mcugen1_sparse_ref(k, x, y);
#endif
}

#ifdef __cplusplus
}
#endif

#endif
