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

#define MCUGEN_SUMS 32 /* outputs at a time: their sums lie on the stack */

/* y: elements of tail->bytes at any alignment; count is at least 1. A model links the ones that it uses. */
typedef void (*mcugen_finish_fn)(const struct mcugen_tail *tail, uint32_t first, uint32_t count, const int32_t *sums,
                                 void *y);

/* Outputs of any type. */
void mcugen1_linear_sums(const struct mcugen_tail *tail, uint32_t first, uint32_t count, const int32_t *sums, void *y);

/* Outputs of 2 bytes, where wide is 0 and add[o] is mcugen_tail's << 5 | its shift, which is not read. */
void mcugen1_linear_halves(const struct mcugen_tail *tail, uint32_t first, uint32_t count, const int32_t *sums,
                           void *y);

/* Outputs of 1 byte, where wide is 0 and add[o] is addend << 5 | low: mcugen_tail would have addend << low and the shift
 * 15 + low. That is 6 bytes an output; the shift is not read. */
void mcugen1_linear_bytes(const struct mcugen_tail *tail, uint32_t first, uint32_t count, const int32_t *sums, void *y);

/* Outputs of 1 byte where add[o] is addend << 5 | up: mcugen_tail would have addend * 2^(16 - up) and the shift 31 - up.
 * acc << up and (acc << up) * mult / 2^16 + addend fit 32 bits. */
void mcugen1_linear_wide(const struct mcugen_tail *tail, uint32_t first, uint32_t count, const int32_t *sums, void *y);

/* M55, M85: mcugen1_linear_sums where wide is 0 and y is aligned to its elements. */
void mcugen1_linear_sums_mve(const struct mcugen_tail *tail, uint32_t first, uint32_t count, const int32_t *sums,
                             void *y);

#ifdef __cplusplus
}
#endif

#endif
