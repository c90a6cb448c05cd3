/* unpack_planes.c - for every 8 weights a byte of +1 flags, then a byte of -1 flags. */
#include "unpack.h"

MCUGEN_WEAK void mcugen1_unpack_planes(const uint8_t *w, uint32_t first, uint32_t n, int8_t *out)
{
    uint32_t bit = first % 8;

    for (w += 2 * (first / 8); n > 0; w += 2) {
        const uint32_t count = n < 8 - bit ? n : 8 - bit; /* weights of this pair of bytes */
        uint32_t plus = (uint32_t)w[0] >> bit, minus = (uint32_t)w[1] >> bit;

        for (const int8_t *const end = out + count; out < end; out++) {
            *out = (int8_t)((plus & 1) - (minus & 1));
            plus >>= 1;
            minus >>= 1;
        }
        n -= count;
        bit = 0;
    }
}
