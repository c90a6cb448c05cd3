/* tables4_ref.c - the definition in C. Clear before fast. */
#include "tables4.h"

/* The sum at place `at` of the table of x[0] .. x[3], plus 1020. */
static uint16_t table_sum(const uint8_t *x, uint32_t at)
{
    const uint32_t low = at % 28;
    const uint32_t more = at / 28 * x[0] + low / 9 * x[1] + low / 3 % 3 * x[2] + low % 3 * x[3];

    return (uint16_t)(1020U + more - x[0] - x[1] - x[2] - x[3]);
}

MCUGEN_WEAK const uint8_t *mcugen1_tables4_ref(const uint8_t *codes, const uint8_t *x, uint32_t quads, int32_t *sums,
                                               uint16_t *tables)
{
    for (uint32_t i = 0; i < 8 * 84; i++) {
        tables[i] = table_sum(x + 4 * (i / 84), i % 84);
    }
    for (uint32_t q = 0; q < quads; q++) {
        for (uint32_t i = 0; i < 32; i++) {
            sums[4 * q + i % 4] += tables[84 * (i / 4) + codes[i] / 2U];
        }
        codes += 32;
    }
    return codes;
}
