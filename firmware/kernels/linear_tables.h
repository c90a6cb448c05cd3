/* linear_tables.h - fully connected layer with ternary weights by tables of all sums of four inputs.
 *
 *     y[o] = tail(sum over i < n of w[o][i] * x[i])
 */
#ifndef MCUGEN_LINEAR_TABLES_H
#define MCUGEN_LINEAR_TABLES_H

#include "linear_sums.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_linear_tables {
    mcugen_finish_fn finish;
    struct mcugen_tail tail;
    const uint8_t *weights; /* see tables4.h */
    uint32_t n;             /* bytes of x */
    uint16_t outputs;
};

/* x: n bytes at any alignment; y: outputs elements of tail.bytes; scratch: MCUGEN_TABLES4 bytes, and 4 for each
 * output, their number rounded up to a multiple of 4. */
void mcugen1_linear_tables_ref(const struct mcugen_linear_tables *k, const void *x, void *y, void *scratch);

static inline void mcugen1_linear_tables(const struct mcugen_linear_tables *k, const void *x, void *y, void *scratch)
{
    mcugen1_linear_tables_ref(k, x, y, scratch);
}

#ifdef __cplusplus
}
#endif

#endif
