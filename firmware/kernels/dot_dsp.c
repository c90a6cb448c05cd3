/* dot_dsp.c - two products an instruction, for cores with the DSP extension. */
#include "dot.h"

#if defined(__ARM_FEATURE_DSP)

#include <arm_acle.h>
#include <string.h>

#define EVEN 0x00ff00ffu /* what __uxtb16 keeps; GCC and clang declare that one with different types */

/* sum + four products. Even and odd bytes become the halves of a word each; memcpy is one unaligned load. */
static inline int32_t four(const uint8_t *x, const int8_t *w, int32_t sum)
{
    uint32_t xs;
    int8x4_t ws;

    memcpy(&xs, x, sizeof xs);
    memcpy(&ws, w, sizeof ws);
    sum = __smlad((int16x2_t)(xs & EVEN), __sxtb16(ws), sum);
    return __smlad((int16x2_t)(xs >> 8 & EVEN), __sxtb16(ws >> 8), sum);
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
