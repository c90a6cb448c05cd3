/* codes2_ref.c - the definition in C. Clear before fast. */
#include "codes2.h"

MCUGEN_WEAK const uint32_t *mcugen1_codes2_ref(const uint32_t *codes, const uint8_t *x, uint32_t blocks,
                                               uint32_t groups, int32_t *sums)
{
    for (uint32_t g = 0; g < groups; g++) {
        for (uint32_t b = 0; b < blocks; b++) {
            for (uint32_t o = 0; o < 4; o++) {
                const uint32_t word = *codes;

                for (uint32_t i = 0; i < 16; i++) {
                    const uint32_t code = (word >> (4 * (i / 4) + 2 * (i % 2) + 16 * (i % 4 / 2))) & 3;

                    sums[4 * g + o] = (int32_t)((uint32_t)sums[4 * g + o] + code * x[16 * b + i]);
                }
                codes++;
            }
        }
    }
    return codes;
}

MCUGEN_WEAK int32_t mcugen1_codes2_total_ref(const uint8_t *x, uint32_t blocks)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < 16 * blocks; i++) {
        total += x[i];
    }
    return (int32_t)total;
}
