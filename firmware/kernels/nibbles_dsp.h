/* nibbles_dsp.h - what becomes of the sums of eight pixels, for cores with the DSP extension: macros for nibbles_strips.h.
 *
 * Of a word of four sums in bytes, pixels 0, 2, 4, 6 or 1, 3, 5, 7: UXTB16 and UXTAB16 widen two at a time to halves, which
 * are modulo 2^16 and keep apart.
 */
/* clang-format off */
#ifndef MCUGEN_NIBBLES_DSP_H
#define MCUGEN_NIBBLES_DSP_H
#ifdef __ASSEMBLER__

#include "sparse_dsp.h"

        .macro  NIBBLES_PREPARE
        PREPARE
        .endm

        .macro  NIBBLES_TAIL
        LOAD_TAIL
        .endm

/* Token 20, 8 cycles for a word: bytes + c to the two words at \at; c is in both halves of r0, and r2 is free. */
        .macro  BYTES_SET x, at
        uxtab16 r2, r0, \x
        uxtab16 \x, r0, \x, ror #8
        str     r2, [sp, #\at]
        str     \x, [sp, #\at + 4]
        .endm

/* Tokens 21 and 22: bytes into r0 and r1, and r2 and r3. */
        .macro  BYTES_ADD e, o, x
        uxtab16 \e, \e, \x
        uxtab16 \o, \o, \x, ror #8
        .endm

/* Tokens 0 and 23, 11 cycles for four pixels: bytes to pixels in \y, by r0 and r1; r2 and r3 are free. */
        .macro  BYTES_SCALE y, x
        uxtb16  \y, \x
        uxtb16  \x, \x, ror #8
        WORD_SCALE \y, \x, 4
        .endm

/* Tokens 24 and 26, 14 cycles: the same for what stands at \at + bytes. */
        .macro  SUMS y, x, at
        ldr     r2, [sp, #\at]
        ldr     r3, [sp, #\at + 4]
        uxtab16 \y, r2, \x
        uxtab16 \x, r3, \x, ror #8
        .endm

        .macro  SUMS_SCALE y, x, at
        SUMS    \y, \x, \at
        WORD_SCALE \y, \x, 4
        .endm

/* Four pixels to lo .. hi, 3 cycles, by what LOAD_LIMITS loads; r3 is free. */
        .macro  BYTES_CLAMP x
        uqadd8  \x, \x, r0
        uqsub8  \x, \x, r1
        uadd8   \x, \x, r2
        .endm

        .macro  LOAD_NIBBLE_LIMITS
        LOAD_LIMITS
        .endm

#endif
#endif
