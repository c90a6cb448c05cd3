/* concat_lanes_ref.c - the definition in C. Clear before fast. */
#include "concat_lanes.h"

/* n bytes of input i, whatever they show: garbage rows are brought over too, and sealed afterwards. */
static void bring_row(const struct mcugen_concat_lanes *k, uint32_t i, const uint8_t *x, uint8_t *y, uint32_t n)
{
    if (k->copy[i] != 0) {
        memcpy(y, x, n);
        return;
    }
    for (uint32_t j = 0; j < n; j++) {
        const int32_t v = (x[j] * k->mult[i] + k->add[i]) >> k->shift[i];

        y[j] = (uint8_t)(v < k->lo ? k->lo : v > k->hi ? k->hi : v);
    }
}

MCUGEN_WEAK void mcugen1_concat_lanes_ref(const struct mcugen_concat_lanes *k, const void *const *x, void *y)
{
    uint8_t *to = (uint8_t *)y;

    for (uint32_t i = 0; i < k->inputs; i++) {
        const uint8_t *from = (const uint8_t *)x[i];

        for (uint32_t c = 0; c < k->channels[i]; c++) {
            for (uint32_t row = 0; row < k->out.rows; row++) {
                bring_row(k, i, from + k->first[i] + row * k->pitch[i], to + mcugen_lanes_at(&k->out, (int32_t)row, 0),
                          4u * k->out.width);
            }
            from += k->plane[i];
            to += 4 * k->out.plane;
        }
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
