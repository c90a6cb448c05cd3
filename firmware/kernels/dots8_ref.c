/* dots8_ref.c - the definition in C. Clear before fast. */
#include "dots8.h"

MCUGEN_WEAK void mcugen1_dots8_inputs_ref(const uint8_t *x, uint32_t count, uint32_t *quads)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t pq = (uint32_t)x[0] + ((uint32_t)x[1] << 16) - 0x00800080U;
        const uint32_t rs = (uint32_t)x[2] + ((uint32_t)x[3] << 16) - 0x00800080U;

        quads[0] = 65537U * (pq - (rs << 8));
        quads[1] = 65537U * (rs - (pq << 8));
        quads[2] = 0x8000U - 0x00800080U * (pq + rs);
        x += 4;
        quads += 3;
    }
}

MCUGEN_WEAK const uint32_t *mcugen1_dots8_starts_ref(const uint32_t *words, const uint8_t *x, uint32_t count,
                                                     int32_t *sums)
{
    for (uint32_t o = 0; o < count; o++) {
        uint32_t more = *words & 1;

        sums[o] = (int32_t)(*words - more);
        words++;
        while (more != 0) {
            sums[o] += ((int32_t)*words >> 17) * x[*words & 0xFFFF];
            more = *words >> 16 & 1;
            words++;
        }
    }
    return words;
}

MCUGEN_WEAK const uint32_t *mcugen1_dots8_ref(const uint32_t *words, const uint32_t *quads, const uint32_t *end,
                                              uint32_t count, int32_t *sums)
{
    for (uint32_t o = 0; o < count; o += MCUGEN_DOTS8) {
        const uint32_t group = count - o < MCUGEN_DOTS8 ? count - o : MCUGEN_DOTS8;

        for (const uint32_t *quad = quads; quad != end; quad += 3) {
            for (uint32_t i = o; i < o + group; i++) {
                const uint32_t swapped = (*words & 0x00FF00FFU) << 8 | (*words >> 8 & 0x00FF00FFU);

                sums[i] += (int32_t)(quad[0] * *words + quad[1] * swapped + quad[2]) >> 16;
                words++;
            }
        }
    }
    return words;
}
