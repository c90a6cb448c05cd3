/* concat_flat.h - flat values one after the other, each brought to the output's scale.
 *
 *     y = x[0], x[1], ...   where element v of x[i] becomes clamp((v * mult[i] + add[i]) >> shift[i], lo, hi)
 */
#ifndef MCUGEN_CONCAT_FLAT_H
#define MCUGEN_CONCAT_FLAT_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_concat_flat {
    const uint32_t *count; /* elements of each input */
    const int16_t *mult;   /* per input; |v * mult + add| < 2^31 for every byte v that it can hold */
    const int32_t *add;
    const uint8_t *shift; /* 0 .. 31 */
    const uint8_t *copy;  /* 1: the input goes through as it is */
    int32_t lo;
    int32_t hi;
    uint8_t inputs;
    uint8_t bytes; /* of one output: 1 unsigned, 2 signed */
};

/* x: `inputs` pointers to bytes at any alignment, equal ones if you like; y: elements of `bytes`, overlaps no input. */
void mcugen1_concat_flat_ref(const struct mcugen_concat_flat *k, const void *const *x, void *y);

static inline void mcugen1_concat_flat(const struct mcugen_concat_flat *k, const void *const *x, void *y)
{
    mcugen1_concat_flat_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
