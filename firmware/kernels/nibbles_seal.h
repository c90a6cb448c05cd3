/* nibbles_seal.h - the parts of mcugen1_nibbles_seal, each for all channels; those of lanes.h with nibbles for bytes.
 *
 * Columns of pads are the same words, and two neighbouring lanes of garbage are bytes: lanes.h has those.
 */
#ifndef MCUGEN_NIBBLES_SEAL_H
#define MCUGEN_NIBBLES_SEAL_H

#include "lanes.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The upper nibbles of at[0], at[4], ...: n > 0 of pad. */
void mcugen1_nibbles_blank_ref(const struct mcugen_lanes *l, uint8_t *at, uint32_t n);

/* at[i] = at[i + away] << 4 | pad, for n - 1 >= i >= 0 in this order; _thumb: n >= 4 and away >= n, from Armv7-M on. */
void mcugen1_nibbles_above_ref(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away);
void mcugen1_nibbles_above_thumb(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away);

/* at[i] = at[i - away] >> 4 | pad << 28, for 0 <= i < n in this order; _thumb: the same. */
void mcugen1_nibbles_below_ref(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away);
void mcugen1_nibbles_below_thumb(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away);

static inline void mcugen1_nibbles_above(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away)
{
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_ARCH_ISA_ARM)
    if (n >= 4u && n <= away) {
        mcugen1_nibbles_above_thumb(l, at, n, away);
        return;
    }
#endif
    mcugen1_nibbles_above_ref(l, at, n, away);
}

static inline void mcugen1_nibbles_below(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away)
{
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_ARCH_ISA_ARM)
    if (n >= 4u && n <= away) {
        mcugen1_nibbles_below_thumb(l, at, n, away);
        return;
    }
#endif
    mcugen1_nibbles_below_ref(l, at, n, away);
}

#ifdef __cplusplus
}
#endif

#endif
