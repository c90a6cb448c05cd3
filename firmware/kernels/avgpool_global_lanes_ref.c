/* avgpool_global_lanes_ref.c - a plane as one run of words. */
#include "avgpool_global_lanes.h"
#include "mcugen_words.h"

#if defined(__ARM_FEATURE_MVE)

static uint32_t total(const uint32_t *x, uint32_t words)
{
    return mcugen1_total_mve(x, 4 * words);
}

#else

static uint32_t total(const uint32_t *x, uint32_t words)
{
    uint32_t sums[4] = {0, 0, 0, 0};

    mcugen_sum4(x, words, sums);
    return sums[0] + sums[1] + sums[2] + sums[3];
}

#endif

MCUGEN_WEAK void mcugen1_avgpool_global_lanes_ref(const struct mcugen_avgpool_global_lanes *k, const void *x, void *y)
{
    const uint32_t words = k->in.rows * mcugen_lanes_pitch(&k->in);
    /* Garbage rows and the pad columns between rows are summed too, and are known. */
    const uint32_t beyond = (4u * words - (uint32_t)k->in.height * k->in.width) * k->in.pad_value;
    const uint32_t *from = (const uint32_t *)x + mcugen_lanes_at(&k->in, 0, 0) / 4;

    for (uint32_t c = 0; c < k->in.channels; c++, from += k->in.plane) {
        const uint32_t acc = total(from, words) - beyond;

        mcugen_store(y, c, mcugen_requantize(&k->tail, 0, (int32_t)acc), k->tail.bytes);
    }
}
