/* direct_mve.c - channels and runs of strips with Helium; direct_mve.h has the strips. */
#include "direct.h"

#include <stddef.h>

#if defined(__ARM_FEATURE_MVE)

enum { WIDEST = 6 }; /* words of a strip */

/* What strips read and where they go on; direct_mve.h knows where the members lie. */
struct mcugen_direct_strips {
    const uint8_t *x;
    uint8_t *y;
    const int32_t *offsets; /* bytes from a word of x to the rows of taps of its word of y */
    const int32_t *weights;
    uint32_t tap_rows;
    uint32_t across;
    uint32_t words;
    uint32_t height;
    uint32_t x_row;
    uint32_t y_row;
    int32_t mult;
    int32_t more;
};

/* The width of strips that covers a row in the fewest words, of those the widest. */
static uint32_t across(uint32_t words)
{
    uint32_t best = words < WIDEST ? words : WIDEST;

    for (uint32_t n = best; words > WIDEST && n > 3; n--) {
        if ((words + n - 1) / n * n < (words + best - 1) / best * best) {
            best = n;
        }
    }
    return best;
}

MCUGEN_WEAK void mcugen1_direct_mve(const struct mcugen_direct *k, const void *x, void *y, void *scratch)
{
    const uint32_t n = (uint32_t)k->row_count * k->taps;
    int32_t *const offsets = (int32_t *)scratch, *const weights = offsets + k->row_count;
    int8_t *const unpacked = (int8_t *)(weights + n);
    const uint16_t *const end = k->runs + 4 * k->run_count;
    const uint8_t *from = (const uint8_t *)x;
    uint8_t *to = (uint8_t *)y;
    struct mcugen_direct_strips job;
    int32_t offset = k->back;

    for (uint32_t i = 0; i < k->row_count; i++) { /* the first counts from where a strip of two words ends */
        offset += k->rows[i] >> 1;
        offsets[i] = offset;
    }
    job.offsets = offsets;
    job.weights = weights;
    job.tap_rows = k->row_count;
    job.x_row = 4 * k->x_row;
    job.y_row = 4 * mcugen_lanes_pitch(&k->out);
    for (uint32_t o = 0; o < k->out.channels; o++) {
        const int32_t scale = k->tails[2 * o];
        const int8_t *w = (const int8_t *)k->weights + o * n;

        if (k->unpack != NULL) {
            k->unpack(k->weights, o * n, n, unpacked);
            w = unpacked;
        }
        /* All of up in the weights: the sums are then, modulo 2^32, what the tail multiplies. */
        mcugen1_direct_scaled_mve(w, n, (scale & 0xff) + (scale >> 8 & 0xff), weights);
        job.mult = (int32_t)((uint32_t)scale & 0xffff0000U);
        job.more = k->tails[2 * o + 1];
        for (const uint16_t *run = k->runs; run != end; run += 4) {
            const uint16_t *const next = run + 4;

            job.x = from + 4 * run[0];
            job.y = to + 4 * run[1];
            job.words = run[2];
            job.height = run[3];
            if (next != end && next[2] == 1 && next[3] == run[3] && next[1] == run[1] + run[2] &&
                next[0] == run[0] + run[2] * k->step) { /* the last column of an odd width */
                job.words++;
                run = next;
            }
            job.across = across(job.words);
            (job.words == 1 ? k->single : k->strips)((struct mcugen_direct_job *)(void *)&job);
        }
        if (k->lo > 0 || k->hi < 255) {
            mcugen1_direct_limited_mve(to, 4 * k->out.plane, k->lo, k->hi);
        }
        from += 4 * k->x_plane;
        to += 4 * k->out.plane;
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}

#endif
