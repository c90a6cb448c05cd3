/* lists8_ref.c - the definition in C. Clear before fast. */
#include "lists8.h"

MCUGEN_WEAK const uint8_t *mcugen1_lists8_ref(const uint8_t *lists, const struct mcugen_lists8 *from, uint32_t count,
                                              int32_t *sums)
{
    for (uint32_t o = 0; o < count; o++) {
        int32_t sum = 0;

        for (uint32_t first = 0; first < from->span; first += from->block) {
            for (int32_t sign = 1; sign >= -1; sign -= 2) {
                const uint32_t n = 31U - lists[0];

                for (uint32_t i = 1; i <= n; i++) {
                    sum += sign * from->x[first + lists[i]];
                }
                lists += 1 + n;
            }
        }
        sums[o] = sum;
    }
    return lists;
}
