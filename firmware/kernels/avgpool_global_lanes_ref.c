/* avgpool_global_lanes_ref.c - the definition in C. Clear before fast. */
#include "avgpool_global_lanes.h"

MCUGEN_WEAK void mcugen1_avgpool_global_lanes_ref(const struct mcugen_avgpool_global_lanes *k, const void *x, void *y)
{
    for (uint32_t c = 0; c < k->in.channels; c++) {
        const uint8_t *const plane = (const uint8_t *)x + 4 * k->in.plane * c;
        int32_t acc = 0;

        for (int32_t r = 0; r < k->in.height; r++) {
            const uint8_t *const row = plane + mcugen_lanes_at(&k->in, r % k->in.rows, 0) + r / k->in.rows;

            for (int32_t col = 0; col < k->in.width; col++) {
                acc += row[4 * col];
            }
        }
        mcugen_store(y, c, mcugen_requantize(&k->tail, 0, acc), k->tail.bytes);
    }
}
