/* limit_ref.c - four pixels at once. */
#include "limit.h"
#include "mcugen.h"
#include "mcugen_words.h"

MCUGEN_WEAK void mcugen1_limit_ref(uint32_t *y, uint32_t n, uint32_t lo, uint32_t hi)
{
    const uint32_t least = lo * 0x01010101u;
    const uint32_t beyond = (255u - hi) * 0x01010101u;
    uint32_t *to = y;

    if (lo > 0u) {
        for (uint32_t left = n; left > 0u; left--) {
            *to = mcugen_below4(mcugen_max4(*to, least), beyond);
            to = &to[1];
        }
        return;
    }
    for (uint32_t left = n / 4u; left > 0u; left--) {
        const uint32_t v0 = mcugen_below4(to[0], beyond);
        const uint32_t v1 = mcugen_below4(to[1], beyond);
        const uint32_t v2 = mcugen_below4(to[2], beyond);
        const uint32_t v3 = mcugen_below4(to[3], beyond);

        to[0] = v0;
        to[1] = v1;
        to[2] = v2;
        to[3] = v3;
        to = &to[4];
    }
    for (uint32_t left = n % 4u; left > 0u; left--) {
        *to = mcugen_below4(*to, beyond);
        to = &to[1];
    }
}
