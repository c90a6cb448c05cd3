/* lanes.h - the parts of mcugen1_lanes_seal, each for all channels.
 *
 * Pixel (lane, row) of a plane is pixel (lane - 1, row + rows), so a halo row is another row, rows away, shifted by a
 * lane. With the pad columns between them rows are one run of words, and a pad column shifted is the same.
 */
#ifndef MCUGEN_LANES_H
#define MCUGEN_LANES_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

/* at[0], at[pitch], ...: n > 0 words of pads. */
void mcugen1_lanes_pads_ref(const struct mcugen_lanes *l, uint32_t *at, uint32_t n);
void mcugen1_lanes_pads_thumb(const struct mcugen_lanes *l, uint32_t *at, uint32_t n); /* all Cortex-M */

/* at[0], at[4], ...: n > 0 bytes of pad, in one lane. */
void mcugen1_lanes_blank_ref(const struct mcugen_lanes *l, uint8_t *at, uint32_t n);
void mcugen1_lanes_blank_thumb(const struct mcugen_lanes *l, uint8_t *at, uint32_t n);

/* at[i] = at[i + away] << 8 | pad, for n - 1 >= i >= 0 in this order; _thumb: n >= 4 and away >= n. */
void mcugen1_lanes_above_ref(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away);
void mcugen1_lanes_above_thumb(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away);

/* at[i] = at[i - away] >> 8 | pad << 24, for 0 <= i < n in this order; _thumb: the same. */
void mcugen1_lanes_below_ref(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away);
void mcugen1_lanes_below_thumb(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away);

#if defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_ARCH_ISA_ARM)

static inline void mcugen1_lanes_pads(const struct mcugen_lanes *l, uint32_t *at, uint32_t n)
{
    mcugen1_lanes_pads_thumb(l, at, n);
}

static inline void mcugen1_lanes_blank(const struct mcugen_lanes *l, uint8_t *at, uint32_t n)
{
    mcugen1_lanes_blank_thumb(l, at, n);
}

static inline void mcugen1_lanes_above(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away)
{
    if (n >= 4u && n <= away) {
        mcugen1_lanes_above_thumb(l, at, n, away);
    } else {
        mcugen1_lanes_above_ref(l, at, n, away);
    }
}

static inline void mcugen1_lanes_below(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away)
{
    if (n >= 4u && n <= away) {
        mcugen1_lanes_below_thumb(l, at, n, away);
    } else {
        mcugen1_lanes_below_ref(l, at, n, away);
    }
}

#else

static inline void mcugen1_lanes_pads(const struct mcugen_lanes *l, uint32_t *at, uint32_t n)
{
    mcugen1_lanes_pads_ref(l, at, n);
}

static inline void mcugen1_lanes_blank(const struct mcugen_lanes *l, uint8_t *at, uint32_t n)
{
    mcugen1_lanes_blank_ref(l, at, n);
}

static inline void mcugen1_lanes_above(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away)
{
    mcugen1_lanes_above_ref(l, at, n, away);
}

static inline void mcugen1_lanes_below(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away)
{
    mcugen1_lanes_below_ref(l, at, n, away);
}

#endif

/* Words of halo rows; without the last pad columns, which have their value, unless they make up four. */
static inline uint32_t mcugen_lanes_halo(const struct mcugen_lanes *l, uint32_t rows)
{
    const uint32_t all = mcugen_lanes_pitch(l) * rows;
    const uint32_t bare = all - l->pad_cols;

    return (bare < 4u) ? all : bare;
}

#ifdef __cplusplus
}
#endif

#endif
