/* sparse_mve.c - channels and runs of strips with Helium; sparse_mve.h has the strips. */
#include "sparse.h"

#include <stddef.h>

#if defined(__ARM_FEATURE_MVE)

/* What strips read, and 32-bit sums that they keep; sparse_mve.h knows where the members lie. */
struct mcugen_sparse_strips {
    const uint16_t *program;
    int32_t mult;
    int32_t add;
    int32_t minus_shift;
    int32_t near;       /* add * 2^(16 - shift), exact for tokens 0, 23, 25 and 26 */
    int32_t near_shift; /* 16 - shift */
    int32_t lo;
    int32_t hi;
    int32_t wide[6 * 8];
};

typedef const uint16_t *mcugen_sparse_strips_fn(const struct mcugen_sparse_strips *job, const uint8_t *x, uint8_t *y,
                                                uint32_t words);

/* A model links the strips that it uses: the others are undefined and weak, and never called. */
extern mcugen_sparse_strips_fn mcugen1_sparse1 MCUGEN_WEAK;
extern mcugen_sparse_strips_fn mcugen1_sparse2 MCUGEN_WEAK;
extern mcugen_sparse_strips_fn mcugen1_sparse3 MCUGEN_WEAK;
extern mcugen_sparse_strips_fn mcugen1_sparse4 MCUGEN_WEAK;
extern mcugen_sparse_strips_fn mcugen1_sparse5 MCUGEN_WEAK;
extern mcugen_sparse_strips_fn mcugen1_sparse6 MCUGEN_WEAK;
extern mcugen_sparse_strips_fn mcugen1_sparse7 MCUGEN_WEAK;
extern mcugen_sparse_strips_fn mcugen1_sparse8 MCUGEN_WEAK;
extern mcugen_sparse_strips_fn mcugen1_sparse10 MCUGEN_WEAK;
extern mcugen_sparse_strips_fn mcugen1_sparse12 MCUGEN_WEAK;
extern mcugen_sparse_strips_fn mcugen1_sparse1x2 MCUGEN_WEAK;
extern mcugen_sparse_strips_fn mcugen1_sparse2x2 MCUGEN_WEAK;
extern mcugen_sparse_strips_fn mcugen1_sparse3x2 MCUGEN_WEAK;
extern mcugen_sparse_strips_fn mcugen1_sparse4x2 MCUGEN_WEAK;
extern mcugen_sparse_strips_fn mcugen1_sparse8x2 MCUGEN_WEAK;

static mcugen_sparse_strips_fn *const strips[] = {
    mcugen1_sparse1,
    mcugen1_sparse2,
    mcugen1_sparse3,
    mcugen1_sparse4,
    mcugen1_sparse5,
    mcugen1_sparse6,
    mcugen1_sparse7,
    mcugen1_sparse8,
    NULL,
    mcugen1_sparse10,
    NULL,
    mcugen1_sparse12,
};
static mcugen_sparse_strips_fn *const strips_apart[] = {
    mcugen1_sparse1x2, mcugen1_sparse2x2, mcugen1_sparse3x2, mcugen1_sparse4x2, NULL, NULL, NULL, mcugen1_sparse8x2,
};

MCUGEN_WEAK void mcugen1_sparse_mve(const struct mcugen_sparse *k, const void *x, void *y, void *scratch)
{
    mcugen_sparse_strips_fn *const *const functions = k->step == 1 ? strips : strips_apart;
    const uint16_t *const first = k->wide_run_count > 0 ? k->runs + 4 * k->run_count : k->runs;
    const uint16_t *const end = first + 4 * (k->wide_run_count > 0 ? k->wide_run_count : k->run_count);
    struct mcugen_sparse_decoder decoder = mcugen_sparse_start(k);
    struct mcugen_sparse_strips job;
    uint8_t *plane = (uint8_t *)y;

    if (k->x_plane != 0) { /* programs of bytes: no model for this core has them */
        mcugen1_sparse_ref(k, x, y, scratch);
        return;
    }
    job.program = k->weights;
    job.lo = k->lo;
    job.hi = k->hi;
    for (uint32_t o = 0; o < k->out.channels; o++) {
        const uint16_t *next = NULL, *decoded;
        const int32_t *const tail = mcugen_sparse_channel(k, o, &decoder, scratch, &decoded);
        const int32_t shift = tail[0] >> 16;

        if (decoded != NULL) {
            job.program = decoded;
        }
        job.mult = (int16_t)tail[0];
        job.add = tail[1];
        job.minus_shift = -shift;
        job.near = shift < 16 ? (int32_t)((uint32_t)tail[1] << (16 - shift)) : tail[1] >> (shift - 16);
        job.near_shift = 16 - shift;
        for (const uint16_t *run = first; run != end; run += 4) {
            next = functions[run[3] - 1](&job, (const uint8_t *)x + 4 * run[0], plane + 4 * run[1], run[2]);
        }
        job.program = next;
        plane += 4 * k->out.plane;
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}

#endif
