/* sparse_dsp.h - the sums of a word of four pixels, for cores with the DSP extension: macros for sparse_strips.h.
 *
 * \e has the sums of the even bytes (pixels 0 and 2), \o of the odd ones (1 and 3), a half of a register for each.
 * UXTAB16 and USUB16 keep the halves apart: no sum carries into its neighbour, whatever garbage rows hold. A half is
 * its sum modulo 2^16, and the sum that remains is proven to fit, so nothing is lost.
 */
/* clang-format off */
#ifndef MCUGEN_SPARSE_DSP_H
#define MCUGEN_SPARSE_DSP_H
#ifdef __ASSEMBLER__

        .macro  WORD_SET e, o, x
        uxtb16  \e, \x
        uxtb16  \o, \x, ror #8
        .endm

        .macro  WORD_ADD e, o, x
        uxtab16 \e, \e, \x
        uxtab16 \o, \o, \x, ror #8
        .endm

/* c in r0, sign extended: what WORD_NEGATE takes sums from. */
        .macro  CENTRE
        pkhbt   r0, r0, r0, lsl #16
        .endm

        .macro  WORD_NEGATE e, o
        usub16  \e, r0, \e
        usub16  \o, r0, \o
        .endm

/* Token 30 of pairs, 9 cycles for a word: twice the sums kept at \at and these take their place. */
        .macro  WORD_COMBINE e, o, at
        ldrd    r0, r2, [sp, #\at]
        sadd16  r0, r0, r0
        sadd16  r2, r2, r2
        sadd16  r0, r0, \e
        sadd16  r2, r2, \o
        str     r0, [sp, #\at]
        str     r2, [sp, #\at + 4]
        .endm

/* For each channel, r2, r3 = its tail: mult << (32 - shift) and add >> (shift - 16), exact where token 0 is. A shift
 * below 16, as tokens 25 and 26 have, is as 16 with add so much larger, and they make the sums larger.
 */
        .macro  PREPARE ready=READY
        asr     r4, r2, #16
        sub     r4, r4, #16
        usat    r5, #5, r4
        sub     r4, r5, r4
        lsl     r2, r2, #16
        asr     r2, r2, r5
        lsl     r3, r3, r4
        asr     r3, r3, r5
        strd    r2, r3, [sp, #\ready]
        .endm

/* Token 25, and twice for 26, before what token 0 does; no half overflows. */
        .macro  WORD_TWICE e, o
        uadd16  \e, \e, \e
        uadd16  \o, \o, \o
        .endm

/* Tokens 0 and 23, 9 cycles for a word: sums to pixels of \bits bits in \e, by r0 and r1. (sum * r0 >> 16) + r1 has the
 * result in its upper half and, as is proven, in 32 bits; rounding down there and rounding down the product before r1, a
 * whole number, is added are the same.
 */
        .macro  LOAD_TAIL ready=READY, add=ADD
        ldr     r0, [sp, #\ready]
        ldr     r1, [sp, #\ready + 4]
        .endm

        .macro  END_TAIL
        .endm

        .macro  WORD_SCALE e, o, bits=8
        smlawb  r2, r0, \e, r1
        smlawt  r3, r0, \e, r1
        pkhtb   \e, r3, r2, asr #16
        smlawb  r2, r0, \o, r1
        smlawt  r3, r0, \o, r1
        pkhtb   \o, r3, r2, asr #16
        usat16  \e, #\bits, \e
        usat16  \o, #\bits, \o
        orr     \e, \e, \o, lsl #8
        .endm

/* Token 19, 15 cycles for a word, in 32 bits: r0, r1 = the tail, lr = its shift. */
        .macro  WORD_SHIFT e, o, bits=8
        smlabb  r2, r0, \e, r1
        smlatb  r3, \e, r0, r1
        asr     r2, r2, lr
        asr     r3, r3, lr
        usat    r2, #\bits, r2
        usat    r3, #\bits, r3
        pkhbt   \e, r2, r3, lsl #16
        smlabb  r2, r0, \o, r1
        smlatb  r3, \o, r0, r1
        asr     r2, r2, lr
        asr     r3, r3, lr
        usat    r2, #\bits, r2
        usat    r3, #\bits, r3
        pkhbt   \o, r2, r3, lsl #16
        orr     \e, \e, \o, lsl #8
        .endm

/* Token 20, 10 cycles for a word: the sums to the four words at \at, then 0. r0 and r2 are free, as for token 21. */
        .macro  WORD_WIDE_SET e, o, at
        sxth    r0, \e
        asr     r2, \e, #16
        str     r0, [sp, #\at]
        str     r2, [sp, #\at + 4]
        sxth    r0, \o
        asr     r2, \o, #16
        str     r0, [sp, #\at + 8]
        str     r2, [sp, #\at + 12]
        WORD_CLEAR \e, \o
        .endm

/* Token 21, 16 cycles for a word: the sums are added there, then 0. */
        .macro  WORD_WIDE_ADD e, o, at
        ldr     r0, [sp, #\at]
        ldr     r2, [sp, #\at + 4]
        sxtah   r0, r0, \e
        add     r2, r2, \e, asr #16
        str     r0, [sp, #\at]
        str     r2, [sp, #\at + 4]
        ldr     r0, [sp, #\at + 8]
        ldr     r2, [sp, #\at + 12]
        sxtah   r0, r0, \o
        add     r2, r2, \o, asr #16
        str     r0, [sp, #\at + 8]
        str     r2, [sp, #\at + 12]
        WORD_CLEAR \e, \o
        .endm

/* Token 22, 25 cycles for a word, in 32 bits: r0, r1 = the tail, lr = its shift. */
        .macro  WORD_WIDE_HALF v, at
        ldr     r2, [sp, #\at]
        ldr     r3, [sp, #\at + 4]
        sxtah   r2, r2, \v
        add     r3, r3, \v, asr #16
        mla     r2, r2, r0, r1
        mla     r3, r3, r0, r1
        asr     r2, r2, lr
        asr     r3, r3, lr
        usat    r2, #8, r2
        usat    r3, #8, r3
        pkhbt   \v, r2, r3, lsl #16
        .endm

        .macro  WORD_WIDE_END e, o, at
        WORD_WIDE_HALF \e, \at
        WORD_WIDE_HALF \o, \at + 8
        orr     \e, \e, \o, lsl #8
        .endm

/* Token 24, 31 cycles for a word, by PIXEL_LONG. */
        .macro  WORD_LONG_HALF v, at
        ldr     r2, [sp, #\at]
        sxtah   r2, r2, \v
        PIXEL_LONG r3, r2
        ldr     r2, [sp, #\at + 4]
        add     r2, r2, \v, asr #16
        PIXEL_LONG \v, r2
        pkhbt   \v, r3, \v, lsl #16
        .endm

        .macro  WORD_LONG_END e, o, at
        WORD_LONG_HALF \e, \at
        WORD_LONG_HALF \o, \at + 8
        orr     \e, \e, \o, lsl #8
        .endm

/* Pixels to lo .. hi, 3 cycles for a word: r0, r1, r2 = 255 - hi, 255 - hi + lo, lo in every byte. */
        .macro  LOAD_LIMITS
        ldr     r0, [sp, #ABOVE]
        ldr     r1, [sp, #BELOW]
        ldr     r2, [sp, #LEAST]
        .endm

        .macro  WORD_CLAMP e, o
        uqadd8  \e, \e, r0
        uqsub8  \e, \e, r1
        uadd8   \e, \e, r2
        .endm

#endif
#endif
