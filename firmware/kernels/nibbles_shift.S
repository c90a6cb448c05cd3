/* nibbles_shift.S - the ends in 32 bits, tokens 19 and 25, for strips of nibbles of all widths. */
#include "nibbles_strips.h"

#ifdef MCUGEN_NIBBLES

/* r0, r1 = the tail, lr = its shift; r2, r3 and r12 are free. */
        .macro  BYTES_SHIFT e, o
        APART   \e, \o, r12
#if defined(__ARM_FEATURE_DSP)
        uxtb16  r12, \e
        uxtb16  \e, \e, ror #8
        WORD_SHIFT r12, \e, 4
        uxtb16  \e, \o
        uxtb16  \o, \o, ror #8
        WORD_SHIFT \e, \o, 4
#else
        BYTES_SCALE r12, \e, PIXEL
        BYTES_SCALE \e, \o, PIXEL
#endif
        orr     \e, r12, \e, lsl #4
        .endm

        .macro  SUMS_SHIFT e, o, at
        APART   \e, \o, r12
        mvn     \e, \e
        mvn     \o, \o
#if defined(__ARM_FEATURE_DSP)
        SUMS    r12, \e, \at
        WORD_SHIFT r12, \e, 4
        SUMS    \e, \o, \at + 8
        WORD_SHIFT \e, \o, 4
#else
        SUMS_SCALE r12, \e, \at, PIXEL
        SUMS_SCALE \e, \o, \at + 8, PIXEL
#endif
        orr     \e, r12, \e, lsl #4
        .endm

/* Of B; by this name a model asks for both. */
        FUNCTION mcugen1_nibbles_shift, mcugen1_nibbles_shift
        str     r12, [sp, #AT]
        LOAD_WIDE_TAIL
        BY_WORDS BYTES_SHIFT, far=1
        TO_CLAMP
        .size   mcugen1_nibbles_shift, . - mcugen1_nibbles_shift

        FUNCTION mcugen1_nibbles_shift_sums, mcugen1_nibbles_shift  /* of S + 255 - B */
        str     r12, [sp, #AT]
        LOAD_WIDE_TAIL
        BY_WORDS SUMS_SHIFT, wide=1, far=1
        TO_CLAMP
        .size   mcugen1_nibbles_shift_sums, . - mcugen1_nibbles_shift_sums
#endif
