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
        add     r1, r0, r0, lsl #16
        add     r2, r1, r0, lsl #8
        .endm

        .macro  WORD_NEGATE e, o
        sub     \e, r1, \e
        sub     \o, r2, \o
        .endm

/* For each channel, r2, r3 = its tail: mult, shift. */
        .macro  PREPARE
        asr     r3, r2, #16
        sxth    r2, r2
        strd    r2, r3, [sp, #READY]
        .endm

/* Token 0 and token 19, 30 cycles for a word: sums to pixels in \e; r0, r1 = the tail, lr = its shift. */
        .macro  LOAD_TAIL
        str     lr, [sp, #BASE]
        ldr     r0, [sp, #READY]
        ldr     r1, [sp, #ADD]
        ldr     lr, [sp, #READY + 4]
        .endm

        .macro  END_TAIL
        ldr     lr, [sp, #BASE]
        .endm

        .macro  PIXEL v
        mla     \v, \v, r0, r1
        asr     \v, \v, lr
        usat    \v, #8, \v
        .endm

        .macro  WORD_SCALE e, o
        sxth    r2, \e
        sub     \e, \e, r2
        sub     \o, \o, \e, asr #8
        asr     \e, \e, #16
        sxth    r3, \o
        sub     \o, \o, r3
        asr     \o, \o, #16
        PIXEL   r2
        PIXEL   r3
        PIXEL   \e
        PIXEL   \o
        orr     \e, r2, \e, lsl #16
        orr     \o, r3, \o, lsl #16
        orr     \e, \e, \o, lsl #8
        .endm

        .macro  WORD_SHIFT e, o
        WORD_SCALE \e, \o
        .endm

/* Pixels to lo .. hi, byte by byte: r0, r1 = lo, hi. */
        .macro  LOAD_LIMITS
        ldrb    r0, [sp, #LEAST]
        ldrb    r1, [sp, #ABOVE]
        rsb     r1, r1, #255
        .endm

        .macro  BYTE_CLAMP e, at
        ubfx    r2, \e, #\at, #8
        cmp     r2, r0
        it      lo
        movlo   r2, r0
        cmp     r2, r1
        it      hi
        movhi   r2, r1
        bfi     \e, r2, #\at, #8
        .endm

        .macro  WORD_CLAMP e, o
        BYTE_CLAMP \e, 0
        BYTE_CLAMP \e, 8
        BYTE_CLAMP \e, 16
        BYTE_CLAMP \e, 24
        .endm

#endif
#endif
