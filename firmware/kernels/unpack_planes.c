/* unpack_planes.c - for every 8 weights a byte of +1 flags, then a byte of -1 flags. */
#include "unpack.h"

MCUGEN_WEAK void mcugen1_unpack_planes(const uint8_t *w, uint32_t first, uint32_t n, int8_t *out)
{
    for (uint32_t i = first; i < first + n; i++) {
        const uint8_t *const pair = w + 2 * (i / 8);

        *out++ = (int8_t)((pair[0] >> (i % 8) & 1) - (pair[1] >> (i % 8) & 1));
    }
}
