/* nibbles_seal_thumb.S - halo rows of nibbles, from Armv7-M on. Cycles a channel as in lanes_thumb.S. */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_ARCH_ISA_ARM)

#include "lanes_thumb.h"

/* void mcugen1_nibbles_above_thumb(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away) */
        FUNCTION mcugen1_nibbles_above_thumb
        SAVE
        and     r6, r6, #15
        HALO    UP, 4
        .size   mcugen1_nibbles_above_thumb, . - mcugen1_nibbles_above_thumb

/* void mcugen1_nibbles_below_thumb(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away) */
        FUNCTION mcugen1_nibbles_below_thumb
        SAVE
        lsls    r6, r6, #28
        negs    r3, r3
        HALO    DOWN, 4
        .size   mcugen1_nibbles_below_thumb, . - mcugen1_nibbles_below_thumb
#endif
