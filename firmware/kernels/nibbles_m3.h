/* nibbles_m3.h - what becomes of the sums of eight pixels, for Armv7-M without the DSP extension: macros for
 * nibbles_strips.h.
 *
 * Of a word x of four sums a, b, c, d in bytes, pixels 0, 2, 4, 6 or 1, 3, 5, 7, sums of 16 bits are as in sparse_m3.h:
 * the sum of (x & 0x00ff00ff), that is a + 2^16 c, and of (x >> 8), b + 2^8 c + 2^16 d, modulo 2^32.
 */
/* clang-format off */
#ifndef MCUGEN_NIBBLES_M3_H
#define MCUGEN_NIBBLES_M3_H
#ifdef __ASSEMBLER__

#include "sparse_m3.h"

/* For each channel, r2, r3 = its tail: mult << (24 - shift) and add << (24 - shift), where tokens 0, 23, 24 and 26 are. The
 * product with the sum and its sum with the addend have the result in their upper 8 bits.
 */
        .macro  NIBBLES_PREPARE
        asr     r4, r2, #16
        sxth    r2, r2
        rsb     r4, r4, #24
        lsl     r2, r2, r4
        lsl     r3, r3, r4
        strd    r2, r3, [sp, #READY]
        .endm

        .macro  NIBBLES_TAIL
        ldr     r0, [sp, #READY]
        ldr     r1, [sp, #READY + 4]
        .endm

        .macro  NIBBLE v, bits
        mla     \v, \v, r0, r1
        usat    \v, #\bits, \v, asr #24
        .endm

/* Token 20, 10 cycles for a word: bytes + c to the two words at \at; r2 and r0 hold c as CENTRE makes it, r1 is free. */
        .macro  BYTES_SET x, at
        and     r1, \x, #0x00ff00ff
        add     r1, r1, r2
        add     \x, r0, \x, lsr #8
        str     r1, [sp, #\at]
        str     \x, [sp, #\at + 4]
        .endm

/* Tokens 21 and 22: bytes into r0 and r1, and r2 and r3. */
        .macro  BYTES_ADD e, o, x
        add     \o, \o, \x, lsr #8
        and     \x, \x, #0x00ff00ff
        add     \e, \e, \x
        .endm

/* Tokens 0 and 23, 19 cycles for four pixels: bytes to pixels in \y, which may be \x, by r0 and r1; r2 and r3 are free. */
        .macro  BYTES_SCALE y, x, pixel=NIBBLE
        uxtb    r2, \x
        \pixel  r2, 4
        uxtb    r3, \x, ror #8
        \pixel  r3, 4
        orr     r2, r2, r3, lsl #8
        uxtb    r3, \x, ror #16
        \pixel  r3, 4
        orr     r2, r2, r3, lsl #16
        lsr     r3, \x, #24
        \pixel  r3, 4
        orr     \y, r2, r3, lsl #24
        .endm

/* Tokens 24 and 26, 32 cycles: the same for what stands at \at + bytes; \y is not \x. */
        .macro  SUMS_SCALE y, x, at, pixel=NIBBLE
        ldr     r2, [sp, #\at]
        ldr     r3, [sp, #\at + 4]
        and     \y, \x, #0x00ff00ff
        add     \y, \y, r2
        add     \x, r3, \x, lsr #8
        WORD_SCALE \y, \x, 4, \pixel
        .endm

/* Four pixels to lo .. hi, 10 cycles: r0, r1, r2 = 127 - hi, 127 - hi + lo, lo in every byte. */
        .macro  BYTES_CLAMP x
        CLAMP_LANES \x, r3, 7, 0x80808080
        add     \x, \x, r2
        .endm

        .macro  LOAD_NIBBLE_LIMITS
        ldr     r0, [sp, #ABOVE]
        ldr     r1, [sp, #BELOW]
        ldr     r2, [sp, #LEAST]
        bic     r0, r0, #0x80808080
        bic     r1, r1, #0x80808080
        .endm

#endif
#endif
