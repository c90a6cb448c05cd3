/* mcugen_fixed.h - the rounding rule (mcugen/fixed.py is the same in Python). */
#ifndef MCUGEN_FIXED_H
#define MCUGEN_FIXED_H

#include <stdint.h>
#include <string.h>

/* What happens to the sums of channel c: clamp((acc * mult[c] + add[c]) >> shift[c], lo, hi). */
struct mcugen_tail {
    const int16_t *mult;
    const int32_t *add;
    const uint8_t *shift; /* 0 .. 31 */
    int32_t lo;
    int32_t hi;
    uint8_t bytes; /* of one output: 1 unsigned, 2 or 4 signed */
    uint8_t wide;  /* 0: |acc * mult + add| < 2^31 is proven */
};

static inline int32_t mcugen_requantize(const struct mcugen_tail *t, uint32_t c, int32_t acc)
{
    if (t->wide != 0) {
        const int64_t v = ((int64_t)acc * t->mult[c] + t->add[c]) >> t->shift[c];
        return v < t->lo ? t->lo : v > t->hi ? t->hi : (int32_t)v;
    }
    const int32_t v = (acc * t->mult[c] + t->add[c]) >> t->shift[c];
    return v < t->lo ? t->lo : v > t->hi ? t->hi : v;
}

/* y[i] = v for elements of 1, 2 or 4 bytes; y has any alignment. */
static inline void mcugen_store(void *y, uint32_t i, int32_t v, uint32_t bytes)
{
    uint8_t *const at = (uint8_t *)y + i * bytes;

    if (bytes == 1) {
        *at = (uint8_t)v;
    } else if (bytes == 2) {
        const int16_t v16 = (int16_t)v;
        memcpy(at, &v16, sizeof v16);
    } else {
        memcpy(at, &v, sizeof v);
    }
}

/* x[i] for elements of 1 (unsigned), 2 or 4 (signed) bytes; x has any alignment. */
static inline int32_t mcugen_load(const void *x, uint32_t i, uint32_t bytes)
{
    const uint8_t *const at = (const uint8_t *)x + i * bytes;
    int16_t v16;
    int32_t v32;

    if (bytes == 1) {
        return *at;
    }
    if (bytes == 2) {
        memcpy(&v16, at, sizeof v16);
        return v16;
    }
    memcpy(&v32, at, sizeof v32);
    return v32;
}

#endif
