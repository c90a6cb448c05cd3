/* linear_sums.h - what fully connected kernels share: they make the sums of some outputs, then this finishes them.
 *
 *     y[first + i] = tail(sums[i]), i < count
 */
#ifndef MCUGEN_LINEAR_SUMS_H
#define MCUGEN_LINEAR_SUMS_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MCUGEN_SUMS 16 /* outputs at a time: their sums lie on the stack */

/* What happens to the sums. packed: outputs are bytes, wide is 0, add[o] is addend << 5 | low, where mcugen_tail would
 * have addend << low and the shift 15 + low: 6 bytes an output. */
struct mcugen_linear_tail {
    struct mcugen_tail tail; /* packed: its shift is not read */
    uint8_t packed;
};

/* y: elements of tail.bytes at any alignment; count is at least 1. bytes: for packed ones only, sums for the others. */
void mcugen1_linear_sums_ref(const struct mcugen_tail *tail, uint32_t first, uint32_t count, const int32_t *sums,
                             void *y);
void mcugen1_linear_bytes_ref(const struct mcugen_linear_tail *tail, uint32_t first, uint32_t count,
                              const int32_t *sums, void *y);
void mcugen1_linear_bytes_m0(const struct mcugen_linear_tail *tail, uint32_t first, uint32_t count, const int32_t *sums,
                             void *y); /* Armv6-M */
void mcugen1_linear_bytes_mve(const struct mcugen_linear_tail *tail, uint32_t first, uint32_t count,
                              const int32_t *sums, void *y); /* M55, M85 */

/* M55, M85: wide is 0, and y is aligned to its elements. */
void mcugen1_linear_sums_mve(const struct mcugen_tail *tail, uint32_t first, uint32_t count, const int32_t *sums,
                             void *y);

/* y[first + i] = the tail of sums[i], not packed. */
static inline void mcugen_tails(const struct mcugen_tail *tail, uint32_t first, uint32_t count, const int32_t *sums,
                                void *y)
{
#if defined(__ARM_FEATURE_MVE)
    if (tail->wide == 0 && ((uintptr_t)y & (tail->bytes - 1U)) == 0) {
        mcugen1_linear_sums_mve(tail, first, count, sums, y);
        return;
    }
#endif
    mcugen1_linear_sums_ref(tail, first, count, sums, y);
}

static inline void mcugen_finish(const struct mcugen_linear_tail *tail, uint32_t first, uint32_t count,
                                 const int32_t *sums, void *y)
{
    if (tail->packed == 0) {
        mcugen_tails(&tail->tail, first, count, sums, y);
        return;
    }
#if defined(__ARM_FEATURE_MVE)
    mcugen1_linear_bytes_mve(tail, first, count, sums, y);
#elif defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1 && !defined(__ARM_ARCH_ISA_ARM)
    mcugen1_linear_bytes_m0(tail, first, count, sums, y);
#else
    mcugen1_linear_bytes_ref(tail, first, count, sums, y);
#endif
}

#ifdef __cplusplus
}
#endif

#endif
