/* mcugen_dsp.h - instructions of the DSP extension by name: arm_acle.h has had functions for them since GCC 10 only, and
 * PlatformIO installs GCC 7. */
#ifndef MCUGEN_DSP_H
#define MCUGEN_DSP_H

#include <stdint.h>

#if defined(__ARM_FEATURE_DSP)

static inline uint32_t mcugen_even_u8(uint32_t x) /* bytes 0 and 2, as halves of a word */
{
    uint32_t y;

    __asm__("uxtb16 %0, %1" : "=r"(y) : "r"(x));
    return y;
}

static inline uint32_t mcugen_odd_u8(uint32_t x)
{
    uint32_t y;

    __asm__("uxtb16 %0, %1, ror #8" : "=r"(y) : "r"(x));
    return y;
}

static inline uint32_t mcugen_even_s8(uint32_t x)
{
    uint32_t y;

    __asm__("sxtb16 %0, %1" : "=r"(y) : "r"(x));
    return y;
}

static inline uint32_t mcugen_odd_s8(uint32_t x)
{
    uint32_t y;

    __asm__("sxtb16 %0, %1, ror #8" : "=r"(y) : "r"(x));
    return y;
}

/* sum + the products of the lower and of the upper halves */
static inline int32_t mcugen_smlad(uint32_t a, uint32_t b, int32_t sum)
{
    int32_t y;

    __asm__("smlad %0, %1, %2, %3" : "=r"(y) : "r"(a), "r"(b), "r"(sum));
    return y;
}

static inline uint32_t mcugen_lower_halves(uint32_t lower, uint32_t upper) /* of both, as halves of a word */
{
    uint32_t y;

    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(y) : "r"(lower), "r"(upper));
    return y;
}

static inline uint32_t mcugen_upper_halves(uint32_t lower, uint32_t upper)
{
    uint32_t y;

    __asm__("pkhtb %0, %2, %1, asr #16" : "=r"(y) : "r"(lower), "r"(upper));
    return y;
}

static inline uint32_t mcugen_clamp_u8(int32_t x) /* to 0 .. 255 */
{
    uint32_t y;

    __asm__("usat %0, #8, %1" : "=r"(y) : "r"(x));
    return y;
}

#endif

#endif
