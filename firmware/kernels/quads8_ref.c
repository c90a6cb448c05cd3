/* quads8_ref.c - the definition in C. Clear before fast. */
#include "quads8.h"

MCUGEN_WEAK const uint32_t *mcugen1_quads8_ref(const uint32_t *quads, const uint8_t *x, uint32_t n, uint32_t groups,
                                               int32_t *sums)
{
    for (uint32_t g = 0; g < groups; g++) {
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t o = 0; o < 4; o++) {
                sums[4 * g + o] += (int32_t)((quads[i] >> (8 * o) & 255) * x[i]);
            }
        }
        quads += n;
    }
    return quads;
}
