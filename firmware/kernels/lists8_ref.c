/* lists8_ref.c - the definition in C. Clear before fast. */
#include "lists8.h"

MCUGEN_WEAK const uint8_t *mcugen1_lists8_ref(const uint8_t *lists, const uint8_t *x, uint32_t blocks, uint32_t count,
                                              int32_t *sums)
{
    for (uint32_t o = 0; o < count; o++) {
        int32_t sum = 0;

        for (int32_t sign = 1; sign >= -1; sign -= 2) {
            for (uint32_t b = 0; b < blocks; b++) {
                const uint32_t n = lists[0];

                for (uint32_t i = 1; i <= n; i++) {
                    sum += sign * x[256 * b + lists[i]];
                }
                lists += 1 + n;
            }
        }
        sums[o] = sum;
    }
    return lists;
}
