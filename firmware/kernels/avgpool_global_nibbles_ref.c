/* avgpool_global_nibbles_ref.c - a plane as one run of words. */
#include "avgpool_global_nibbles.h"
#include "nibble_words.h"

/* Of n words: eight of them make bytes of up to 8 * 2 * 15. */
static uint32_t total(const uint32_t *x, uint32_t n)
{
    const uint32_t *from = x;
    uint32_t sum = 0;

    for (uint32_t left = n; left > 0u;) {
        const uint32_t count = (left < 8u) ? left : 8u;
        const uint32_t *const end = &from[count];
        uint32_t bytes = 0;

        do {
            const uint32_t v = *from;

            from = &from[1];
            bytes += mcugen_even_nibbles(v) + mcugen_odd_nibbles(v);
        } while (from != end);
        bytes = (bytes & 0x00ff00ffu) + ((bytes >> 8) & 0x00ff00ffu);
        sum += (bytes & 0xffffu) + (bytes >> 16);
        left -= count;
    }
    return sum;
}

MCUGEN_WEAK void mcugen1_avgpool_global_nibbles_ref(const struct mcugen_avgpool_global_nibbles *k, const void *x,
                                                    void *y)
{
    const uint32_t words = k->in.rows * mcugen_lanes_pitch(&k->in);
    /* Garbage rows and the pad columns between rows are summed too, and are known. */
    const uint32_t beyond = (8u * words - (uint32_t)k->in.height * k->in.width) * (k->in.pad_value & 15u);
    const uint32_t *from = &((const uint32_t *)x)[mcugen_lanes_at(&k->in, 0, 0) / 4];

    for (uint32_t c = 0; c < k->in.channels; c++) {
        const int32_t sum = (int32_t)(total(from, words) - beyond);

        mcugen_store(y, c, mcugen_requantize(&k->tail, 0, sum), k->tail.bytes);
        from = &from[k->in.plane];
    }
}
