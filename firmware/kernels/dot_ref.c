/* dot_ref.c - the definition in C. Clear before fast. */
#include "dot.h"

MCUGEN_WEAK int32_t mcugen1_dot_ref(const uint8_t *x, const int8_t *w, uint32_t n)
{
    int32_t sum = 0;

    for (uint32_t i = 0; i < n; i++) {
        sum += x[i] * w[i];
    }
    return sum;
}
