/* dot_dsp.c - two products an instruction, for cores with the DSP extension. */
#include "dot.h"

#if defined(__ARM_FEATURE_DSP)

#include <string.h>

/* The instructions by name: arm_acle.h has had functions for them since GCC 10 only, and PlatformIO installs GCC 7. */

static inline uint32_t even_u8(uint32_t x) /* bytes 0 and 2, as halves of a word */
{
    uint32_t y;

    __asm__("uxtb16 %0, %1" : "=r"(y) : "r"(x));
    return y;
}

static inline uint32_t odd_u8(uint32_t x)
{
    uint32_t y;

    __asm__("uxtb16 %0, %1, ror #8" : "=r"(y) : "r"(x));
    return y;
}

static inline uint32_t even_s8(uint32_t x)
{
    uint32_t y;

    __asm__("sxtb16 %0, %1" : "=r"(y) : "r"(x));
    return y;
}

static inline uint32_t odd_s8(uint32_t x)
{
    uint32_t y;

    __asm__("sxtb16 %0, %1, ror #8" : "=r"(y) : "r"(x));
    return y;
}

/* sum + the products of the lower and of the upper halves */
static inline int32_t smlad(uint32_t a, uint32_t b, int32_t sum)
{
    int32_t y;

    __asm__("smlad %0, %1, %2, %3" : "=r"(y) : "r"(a), "r"(b), "r"(sum));
    return y;
}

/* sum + four products; memcpy is one unaligned load. */
static inline int32_t four(const uint8_t *x, const int8_t *w, int32_t sum)
{
    uint32_t xs, ws;

    memcpy(&xs, x, sizeof xs);
    memcpy(&ws, w, sizeof ws);
    sum = smlad(even_u8(xs), even_s8(ws), sum);
    return smlad(odd_u8(xs), odd_s8(ws), sum);
}

MCUGEN_WEAK int32_t mcugen1_dot_dsp(const uint8_t *x, const int8_t *w, uint32_t n)
{
    int32_t sum = 0;

    for (; n >= 16; n -= 16, x += 16, w += 16) {
        sum = four(x, w, sum);
        sum = four(x + 4, w + 4, sum);
        sum = four(x + 8, w + 8, sum);
        sum = four(x + 12, w + 12, sum);
    }
    for (; n >= 4; n -= 4, x += 4, w += 4) {
        sum = four(x, w, sum);
    }
    for (; n > 0; n--) {
        sum += *x++ * *w++;
    }
    return sum;
}

#endif
