/* batch.c - many inputs through one generated model, as a shared library for the host. */
#include "guarded.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT extern const uint32_t mcugen_batch_sizes[5];
EXPORT int mcugen_batch(uint32_t n, const uint8_t *x, uint8_t *y, uint8_t *trace, uint32_t *vector);

const uint32_t mcugen_batch_sizes[5] = {KAT_IN_BYTES, KAT_OUT_BYTES, KAT_STEPS, KAT_ARENA_BYTES, KAT_COUNT};

static uint8_t *append(uint8_t *to, const void *from, uint32_t n)
{
    memcpy(to, from, n);
    return to + n;
}

/* x: n inputs; y: room for n outputs; trace: NULL, or room for n * KAT_STEPS * (KAT_ARENA_BYTES + KAT_OUT_BYTES).
 * Returns 0, or what guarded_check() found at *vector, where it stops. One caller at a time. */
int mcugen_batch(uint32_t n, const uint8_t *x, uint8_t *y, uint8_t *trace, uint32_t *vector)
{
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *const input = guarded_input(i);

        memcpy(input, x + (size_t)i * KAT_IN_BYTES, KAT_IN_BYTES);
        guarded_prepare(i);
        if (trace == NULL)
            kat_run(&guarded_m.in.model, input, guarded_y.in.y);
        for (unsigned step = 0; trace != NULL && step < KAT_STEPS; step++) {
            kat_step(&guarded_m.in.model, step, input, guarded_y.in.y);
            trace = append(trace, &guarded_m.in.model, KAT_ARENA_BYTES);
            trace = append(trace, guarded_y.in.y, KAT_OUT_BYTES);
        }

        const unsigned bad = guarded_check(i);
        if (bad) {
            *vector = i;
            return (int)bad;
        }
        y = append(y, guarded_y.in.y, KAT_OUT_BYTES);
    }
    return 0;
}
