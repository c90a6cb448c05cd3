/* mul_flat.h - product of two flat values, or of an image and a factor per channel.
 *
 *     y[i] = tail((a[i] - zero_a) * (b[i div each] - zero_b)), i < n
 */
#ifndef MCUGEN_MUL_FLAT_H
#define MCUGEN_MUL_FLAT_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_mul_flat {
    struct mcugen_tail tail; /* one entry serves all elements */
    uint32_t n;
    uint32_t each; /* elements of a that share an element of b: 1, or those of a channel */
    uint8_t zero_a;
    uint8_t zero_b;
};

/* a: n bytes, b: n / each bytes, the same buffer if you like; y: n elements of tail.bytes. Where that is 1, y may be a (and
 * where each is 1 too, b), exactly, not shifted: element i is read before it is written, and not after. */
void mcugen1_mul_flat_ref(const struct mcugen_mul_flat *k, const void *a, const void *b, void *y);

static inline void mcugen1_mul_flat(const struct mcugen_mul_flat *k, const void *a, const void *b, void *y)
{
    mcugen1_mul_flat_ref(k, a, b, y);
}

#ifdef __cplusplus
}
#endif

#endif
