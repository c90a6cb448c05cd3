/* pairs8_ref.c - the definition in C. Clear before fast. */
#include "pairs8.h"

MCUGEN_WEAK void mcugen1_pairs8_first_ref(const uint8_t *x, uint32_t blocks, uint32_t *a, uint32_t *b)
{
    uint32_t sum = 0, products = 0;

    for (uint32_t i = 0; i < 16 * blocks; i += 2) {
        sum += (uint32_t)x[i] + x[i + 1];
        products += (uint32_t)x[i] * x[i + 1];
    }
    *a += 256 * products - 128 * sum;
    *b -= products;
}

/* The halves' bytes: a + 128, and b, which is signed. */
static uint32_t lower(uint32_t word, uint32_t half)
{
    return (word >> (16 * half)) & 255;
}

static uint32_t upper(uint32_t word, uint32_t half)
{
    return (uint32_t)(int8_t)(uint8_t)(word >> (16 * half + 8));
}

MCUGEN_WEAK const uint32_t *mcugen1_pairs8_ref(const uint32_t *pairs, const uint8_t *x, uint32_t blocks,
                                               uint32_t groups, int32_t *sums)
{
    for (uint32_t g = 0; g < groups; g++) {
        const uint32_t *const words = pairs + 2;

        for (uint32_t p = 0; p < 2; p++) {
            uint32_t *const sum = (uint32_t *)sums + 4 * g + 2 * p;
            uint32_t a = 0, b = pairs[p];

            for (uint32_t i = 0; i < 16 * blocks; i += 4) {
                for (uint32_t half = 0; half < 2; half++) {
                    const uint32_t even = words[i + 2 * p], odd = words[i + 2 * p + 1];
                    const uint32_t x0 = x[i + 2 * half], x1 = x[i + 2 * half + 1];

                    a += lower(even, half) * x0 + lower(odd, half) * x1;
                    a -= 256 * x0 * x1;
                    b += (x0 + upper(odd, half)) * (x1 + upper(even, half));
                }
            }
            sum[0] += a;
            sum[1] += b;
        }
        pairs = words + 16 * blocks;
    }
    return pairs;
}
