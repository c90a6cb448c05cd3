/* dots8_ref.c - the definition in C. Clear before fast. */
#include "dots8.h"

MCUGEN_WEAK void mcugen1_dots8_inputs_ref(const uint8_t *x, uint32_t count, uint32_t *quads)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *const from = &x[4 * i];
        uint32_t *const to = &quads[3 * i];
        const uint32_t pq = (uint32_t)from[0] + ((uint32_t)from[1] << 16) - 0x00800080U;
        const uint32_t rs = (uint32_t)from[2] + ((uint32_t)from[3] << 16) - 0x00800080U;

        to[0] = 65537U * (pq - (rs << 8));
        to[1] = 65537U * (rs - (pq << 8));
        to[2] = 0x8000U - (0x00800080U * (pq + rs));
    }
}

MCUGEN_WEAK const uint32_t *mcugen1_dots8_starts_ref(const uint32_t *words, const uint8_t *x, uint32_t count,
                                                     int32_t *sums)
{
    const uint32_t *word = words;

    for (uint32_t o = 0; o < count; o++) {
        uint32_t more = *word & 1U;
        uint32_t sum = *word - more;

        while (more != 0U) {
            word++;
            sum += (uint32_t)((int32_t)*word >> 17) * x[*word & 0xFFFFU];
            more = (*word >> 16) & 1U;
        }
        word++;
        sums[o] = (int32_t)sum;
    }
    return word;
}

MCUGEN_WEAK const uint32_t *mcugen1_dots8_ref(const uint32_t *words, const uint32_t *quads, const uint32_t *end,
                                              uint32_t count, int32_t *sums)
{
    const uint32_t *word = words;

    for (uint32_t o = 0; o < count; o += (uint32_t)MCUGEN_DOTS8) {
        for (const uint32_t *quad = quads; quad != end; quad = &quad[3]) {
            for (uint32_t i = o; i < count && i < o + MCUGEN_DOTS8; i++) {
                const uint32_t swapped = ((*word & 0x00FF00FFU) << 8) | ((*word >> 8) & 0x00FF00FFU);
                const uint32_t dot = (quad[0] * *word) + (quad[1] * swapped) + quad[2];

                sums[i] += (int32_t)dot >> 16;
                word++;
            }
        }
    }
    return word;
}
