/* maxpool_nibbles_ref.c - eight pixels at once. */
#include "maxpool_nibbles.h"
#include "mcugen_words.h"
#include "nibble_words.h"

/* Eight pixels of y; x points at the first of their windows. */
static uint32_t window(const struct mcugen_maxpool_nibbles *k, const uint32_t *x, uint32_t pitch)
{
    uint32_t even = 0;
    uint32_t odd = 0;

    for (uint32_t i = 0; i < k->kernel_h; i++, x += pitch) {
        for (uint32_t j = 0; j < k->kernel_w; j++) {
            even = mcugen_max4(even, mcugen_even_nibbles(x[j]));
            odd = mcugen_max4(odd, x[j] & 0xf0f0f0f0u);
        }
    }
    return even | odd;
}

MCUGEN_WEAK void mcugen1_maxpool_nibbles_ref(const struct mcugen_maxpool_nibbles *k, const void *x, void *y)
{
    const uint32_t pitch = mcugen_lanes_pitch(&k->in);
    const uint32_t *plane = (const uint32_t *)x;
    uint32_t *to_plane = (uint32_t *)y;

    for (uint32_t c = 0; c < k->out.channels; c++, plane += k->in.plane, to_plane += k->out.plane) {
        const uint32_t *from = plane + mcugen_lanes_at(&k->in, -k->top, -k->left) / 4;
        uint32_t *to = to_plane + mcugen_lanes_at(&k->out, 0, 0) / 4;

        for (uint32_t row = 0; row < k->out.rows; row++) { /* garbage too: sealed afterwards */
            for (uint32_t col = 0; col < k->out.width; col++) {
                to[col] = window(k, from + col * k->stride_w, pitch);
            }
            from += k->stride_h * pitch;
            to += mcugen_lanes_pitch(&k->out);
        }
    }
    mcugen1_nibbles_seal(&k->out, (uint8_t *)y);
}
