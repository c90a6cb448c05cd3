/* avgpool_global_lanes_ref.c - a plane as one run of words. */
#include "avgpool_global_lanes.h"
#include "mcugen_words.h"

#define BATCH 16u /* planes at a time */

#if defined(__ARM_FEATURE_MVE)

static void plane_totals(const uint32_t *x, uint32_t n, uint32_t plane, uint32_t planes, uint32_t *sums)
{
    for (uint32_t i = 0; i < planes; i++) {
        sums[i] = mcugen1_total_mve(&x[plane * i], 4u * n);
    }
}

#else

static void plane_totals(const uint32_t *x, uint32_t n, uint32_t plane, uint32_t planes, uint32_t *sums)
{
#if defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_ARCH_ISA_ARM)
    if (n <= 257u) {
        mcugen1_totals_thumb(x, n, plane, planes, sums);
        return;
    }
#endif
    for (uint32_t i = 0; i < planes; i++) {
        uint32_t lanes[4] = {0, 0, 0, 0};

        mcugen_sum4(&x[plane * i], n, lanes);
        sums[i] = lanes[0] + lanes[1] + lanes[2] + lanes[3];
    }
}

#endif

/* Elements first .. end - 1 of y. Bytes of narrow sums are the usual case: what they take stays in registers. */
static void means(const struct mcugen_tail *tail, const uint32_t *sums, int32_t beyond, uint8_t *y, uint32_t first,
                  uint32_t end)
{
    const uint32_t *sum = sums;

    if (tail->wide == 0 && tail->bytes == 1) {
        const int32_t mult = tail->mult[0];
        const int32_t add = tail->add[0];
        const uint32_t shift = tail->shift[0];
        const int32_t lo = tail->lo;
        const int32_t hi = tail->hi;

        for (uint32_t c = first; c < end; c++) {
            int32_t v = ((((int32_t)*sum - beyond) * mult) + add) >> shift;

            sum = &sum[1];
            v = (v < lo) ? lo : v;
            v = (v > hi) ? hi : v;
            y[c] = (uint8_t)v;
        }
    } else {
        for (uint32_t c = first; c < end; c++) {
            mcugen_store(y, c, mcugen_requantize(tail, 0, (int32_t)*sum - beyond), tail->bytes);
            sum = &sum[1];
        }
    }
}

MCUGEN_WEAK void mcugen1_avgpool_global_lanes_ref(const struct mcugen_avgpool_global_lanes *k, const void *x, void *y)
{
    const uint32_t words = k->in.rows * mcugen_lanes_pitch(&k->in);
    /* Garbage rows and the pad columns between rows are summed too, and are known. */
    const uint32_t beyond = (4u * words - (uint32_t)k->in.height * k->in.width) * k->in.pad_value;
    const uint32_t *from = (const uint32_t *)x + mcugen_lanes_at(&k->in, 0, 0) / 4;
    const uint32_t channels = k->in.channels;
    uint32_t sums[BATCH];

    for (uint32_t c = 0; c < channels; c += BATCH) {
        const uint32_t end = ((channels - c) < BATCH) ? channels : (c + BATCH);

        plane_totals(from, words, k->in.plane, end - c, sums);
        means(&k->tail, sums, (int32_t)beyond, (uint8_t *)y, c, end);
        from = &from[k->in.plane * BATCH];
    }
}
