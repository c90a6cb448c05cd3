/* sparse_m3.h - the sums of a word of four pixels, for Armv7-M without the DSP extension: macros for sparse_strips.h.
 *
 * With the pixels a, b, c, d of a word x, lowest byte first, modulo 2^32
 *
 *     \e = sum of (x & 0x00ff00ff) = sum a + 2^16 sum c
 *     \o = sum of (x >> 8) = sum b + 2^8 sum c + 2^16 sum d
 *
 * Sums carry into their neighbours, and with a sum that is proven to fit 16 bits its carry is known: a is the signed
 * lower half of \e, c what remains of \e without a, b the lower half of \o without 2^8 c, d what then remains. A lane
 * with a garbage row has a sum that may not fit; but only lanes above it, which have garbage there too, come to harm.
 */
/* clang-format off */
#ifndef MCUGEN_SPARSE_M3_H
#define MCUGEN_SPARSE_M3_H
#ifdef __ASSEMBLER__

        .macro  WORD_SET e, o, x
        lsr     \o, \x, #8
        and     \e, \x, #0x00ff00ff
        .endm

        .macro  WORD_ADD e, o, x
        add     \o, \o, \x, lsr #8
        and     \x, \x, #0x00ff00ff
        add     \e, \e, \x
        .endm

/* c in r0, sign extended: what WORD_NEGATE takes sums from. */
        .macro  CENTRE
        add     r2, r0, r0, lsl #16
        add     r0, r2, r0, lsl #8
        .endm

        .macro  WORD_NEGATE e, o
        sub     \e, r2, \e
        sub     \o, r0, \o
        .endm

/* Token 30 of pairs, 7 cycles for a word: twice the sums kept at \at and these take their place. */
        .macro  WORD_COMBINE e, o, at
        ldrd    r0, r2, [sp, #\at]
        add     r0, \e, r0, lsl #1
        add     r2, \o, r2, lsl #1
        str     r0, [sp, #\at]
        str     r2, [sp, #\at + 4]
        .endm

/* For each channel, r2, r3 = its tail: mult, shift. */
        .macro  PREPARE ready=READY
        asr     r3, r2, #16
        sxth    r2, r2
        strd    r2, r3, [sp, #\ready]
        .endm

/* Tokens 25 and 26 are as token 0 here. */
        .macro  WORD_TWICE e, o
        .endm

/* Tokens 0, 19 and 23, 30 cycles for a word: sums to pixels of \bits bits in \e; r0, r1 = the tail, lr = its shift. */
        .macro  LOAD_TAIL ready=READY, add=ADD
        str     lr, [sp, #BASE]
        ldr     r0, [sp, #\ready]
        ldr     r1, [sp, #\add]
        ldr     lr, [sp, #\ready + 4]
        .endm

        .macro  END_TAIL
        ldr     lr, [sp, #BASE]
        .endm

        .macro  PIXEL v, bits=8
        mla     \v, \v, r0, r1
        asr     \v, \v, lr
        usat    \v, #\bits, \v
        .endm

        .macro  WORD_SCALE e, o, bits=8, pixel=PIXEL
        sxth    r2, \e
        sub     \e, \e, r2
        sub     \o, \o, \e, asr #8
        asr     \e, \e, #16
        sxth    r3, \o
        sub     \o, \o, r3
        asr     \o, \o, #16
        \pixel r2, \bits
        \pixel r3, \bits
        \pixel \e, \bits
        \pixel \o, \bits
        orr     \e, r2, \e, lsl #16
        orr     \o, r3, \o, lsl #16
        orr     \e, \e, \o, lsl #8
        .endm

        .macro  WORD_SHIFT e, o
        WORD_SCALE \e, \o
        .endm

/* Token 20, 13 cycles for a word: the sums to the four words at \at, pixels 0, 2, 1, 3, then 0. r0 and r2 are free, as
 * for token 21. */
        .macro  WORD_WIDE_SET e, o, at
        sxth    r0, \e
        sub     \e, \e, r0
        sub     \o, \o, \e, asr #8
        asr     \e, \e, #16
        sxth    r2, \o
        sub     \o, \o, r2
        asr     \o, \o, #16
        str     r0, [sp, #\at]
        str     \e, [sp, #\at + 4]
        str     r2, [sp, #\at + 8]
        str     \o, [sp, #\at + 12]
        WORD_CLEAR \e, \o
        .endm

/* Token 21, 21 cycles for a word: the sums are added there, then 0. */
        .macro  WORD_WIDE_ADD e, o, at
        sxth    r0, \e
        sub     \e, \e, r0
        sub     \o, \o, \e, asr #8
        ldr     r2, [sp, #\at]
        add     r2, r2, r0
        ldr     r0, [sp, #\at + 4]
        str     r2, [sp, #\at]
        add     r0, r0, \e, asr #16
        str     r0, [sp, #\at + 4]
        sxth    \e, \o
        sub     \o, \o, \e
        ldr     r0, [sp, #\at + 8]
        ldr     r2, [sp, #\at + 12]
        add     r0, r0, \e
        add     r2, r2, \o, asr #16
        str     r0, [sp, #\at + 8]
        str     r2, [sp, #\at + 12]
        WORD_CLEAR \e, \o
        .endm

/* Token 22, 38 cycles for a word, in 32 bits: r0, r1 = the tail, lr = its shift. */
        .macro  WORD_WIDE_END e, o, at
        sxth    r2, \e
        ldr     r3, [sp, #\at]
        sub     \e, \e, r2
        add     r2, r2, r3
        ldr     r3, [sp, #\at + 4]
        sub     \o, \o, \e, asr #8
        add     \e, r3, \e, asr #16
        PIXEL   r2
        PIXEL   \e
        orr     \e, r2, \e, lsl #16
        sxth    r2, \o
        ldr     r3, [sp, #\at + 8]
        sub     \o, \o, r2
        add     r2, r2, r3
        ldr     r3, [sp, #\at + 12]
        add     \o, r3, \o, asr #16
        PIXEL   r2
        PIXEL   \o
        orr     \o, r2, \o, lsl #16
        orr     \e, \e, \o, lsl #8
        .endm

/* Token 24, 54 to 66 cycles for a word, by PIXEL_LONG. */
        .macro  WORD_LONG_END e, o, at
        sxth    r2, \e
        ldr     r3, [sp, #\at]
        sub     \e, \e, r2
        add     r2, r2, r3
        sub     \o, \o, \e, asr #8
        PIXEL_LONG r3, r2
        ldr     r2, [sp, #\at + 4]
        add     r2, r2, \e, asr #16
        PIXEL_LONG \e, r2
        orr     \e, r3, \e, lsl #16
        sxth    r2, \o
        ldr     r3, [sp, #\at + 8]
        sub     \o, \o, r2
        add     r2, r2, r3
        PIXEL_LONG r3, r2
        ldr     r2, [sp, #\at + 12]
        add     r2, r2, \o, asr #16
        PIXEL_LONG \o, r2
        orr     \o, r3, \o, lsl #16
        orr     \e, \e, \o, lsl #8
        .endm

/* Pixels to lo .. hi, 23 cycles for a word: r0, r1 = 255 - hi, 255 - hi + lo in both halves, r3 = lo in every byte. */
        .macro  LOAD_LIMITS
        ldr     r0, [sp, #ABOVE]
        ldr     r1, [sp, #BELOW]
        ldr     r3, [sp, #LEAST]
        and     r0, r0, #0x00ff00ff
        and     r1, r1, #0x00ff00ff
        .endm

/* Pixels in the lanes of \x to 0 .. hi - lo, each less lo. \top: of each lane bit \bits, which no pixel has; r0, r1 =
 * 2^\bits - 1 - hi, the same + lo, in every lane; \by is free. That bit tells a pixel above hi, whose sum becomes
 * 2^\bits - 1, and then, set before, a difference that is not below 0.
 */
        .macro  CLAMP_LANES x, by, bits, top
        add     \x, \x, r0
        and     \by, \x, #\top
        sub     \by, \by, \by, lsr #\bits
        orr     \x, \x, \by
        orr     \x, \x, #\top
        sub     \x, \x, r1
        and     \by, \x, #\top
        sub     \by, \by, \by, lsr #\bits
        and     \x, \x, \by
        .endm

        .macro  WORD_CLAMP e, o
        lsr     \o, \e, #8
        and     \o, \o, #0x00ff00ff
        and     \e, \e, #0x00ff00ff
        CLAMP_LANES \e, r2, 8, 0x01000100
        CLAMP_LANES \o, r2, 8, 0x01000100
        orr     \e, \e, \o, lsl #8
        add     \e, \e, r3
        .endm

#endif
#endif
