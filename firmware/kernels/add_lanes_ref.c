/* add_lanes_ref.c - the definition in C. Clear before fast. */
#include "add_lanes.h"

/* n bytes, whatever they show: garbage rows are added too, and sealed afterwards. */
static void add_row(const struct mcugen_add_lanes *k, const uint8_t *a, const uint8_t *b, uint8_t *y, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        const int32_t v = (a[i] * k->mult_a + b[i] * k->mult_b + k->add) >> k->shift;

        y[i] = (uint8_t)(v < k->lo ? k->lo : v > k->hi ? k->hi : v);
    }
}

MCUGEN_WEAK void mcugen1_add_lanes_ref(const struct mcugen_add_lanes *k, const void *a, const void *b, void *y)
{
    for (uint32_t c = 0; c < k->out.channels; c++) {
        const uint8_t *const p = (const uint8_t *)a + 4 * k->a.plane * c;
        const uint8_t *const q = (const uint8_t *)b + 4 * k->b.plane * c;
        uint8_t *const to = (uint8_t *)y + 4 * k->out.plane * c;

        for (int32_t row = 0; row < k->out.rows; row++) {
            add_row(k, p + mcugen_lanes_at(&k->a, row, 0), q + mcugen_lanes_at(&k->b, row, 0),
                    to + mcugen_lanes_at(&k->out, row, 0), 4 * k->out.width);
        }
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
