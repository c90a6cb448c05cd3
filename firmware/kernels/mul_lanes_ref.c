/* mul_lanes_ref.c - the definition in C. Clear before fast. */
#include "mul_lanes.h"

/* n bytes, whatever they show: garbage rows are multiplied too, and sealed afterwards. step: 0 where b is one factor. */
static void mul_row(const struct mcugen_mul_lanes *k, const uint8_t *a, const uint8_t *b, uint32_t step, uint8_t *y)
{
    const uint32_t n = 4u * k->out.width;

    for (uint32_t i = 0; i < n; i++) {
        const int32_t product = (a[i] - k->zero_a) * (b[i * step] - k->zero_b);

        y[i] = (uint8_t)mcugen_requantize(&k->tail, 0, product);
    }
}

MCUGEN_WEAK void mcugen1_mul_lanes_ref(const struct mcugen_mul_lanes *k, const void *a, const void *b, void *y)
{
    for (uint32_t c = 0; c < k->out.channels; c++) {
        const uint8_t *const p = (const uint8_t *)a + 4 * k->a.plane * c;
        const uint8_t *const q = (const uint8_t *)b;
        uint8_t *const to = (uint8_t *)y + 4 * k->out.plane * c;

        for (int32_t row = 0; row < k->out.rows; row++) {
            const uint8_t *const from = p + mcugen_lanes_at(&k->a, row, 0);

            if (k->b.rows == 0) {
                mul_row(k, from, q + c, 0, to + mcugen_lanes_at(&k->out, row, 0));
            } else {
                mul_row(k, from, q + 4 * k->b.plane * c + mcugen_lanes_at(&k->b, row, 0), 1,
                        to + mcugen_lanes_at(&k->out, row, 0));
            }
        }
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
