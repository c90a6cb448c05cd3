/* dot_dsp.c - two products an instruction, for cores with the DSP extension. */
#include "dot.h"
#include "mcugen_dsp.h"

#if defined(__ARM_FEATURE_DSP)

#include <string.h>

/* sum + four products; memcpy is one unaligned load. */
static inline int32_t four(const uint8_t *x, const int8_t *w, int32_t sum)
{
    uint32_t xs, ws;

    memcpy(&xs, x, sizeof xs);
    memcpy(&ws, w, sizeof ws);
    sum = mcugen_smlad(mcugen_even_u8(xs), mcugen_even_s8(ws), sum);
    return mcugen_smlad(mcugen_odd_u8(xs), mcugen_odd_s8(ws), sum);
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
