/* direct_words_m0.h - products and pixels of `direct` and `window` for Armv6-M.
 *
 * No pixel is taken out of its word: with the pixels a, b, c, d of a word x, lowest byte first, and weights w, the sums of
 * a word are
 *
 *     t0 = sum of w x = sum w a + 2^8 t1     t1 = sum of w (x >> 8) = sum w b + 2^8 t2
 *     t3 = sum of w (x >> 24) = sum w d      t2 = sum of w (x >> 16) = sum w c + 2^8 t3
 *
 * modulo 2^32, so that three subtractions a word leave the sums of its pixels. Where LANES is 3, d is taken as 0.
 */
/* clang-format off */
#ifndef MCUGEN_DIRECT_WORDS_M0_H
#define MCUGEN_DIRECT_WORDS_M0_H
#ifdef __ASSEMBLER__

/* \t = r4 if \begin, else \t + r4. */
        .macro  SUM_TO begin, t, v
        .if     \begin
        mov     \t, \v
        .else
        add     \t, \v
        .endif
        .endm

/* The word in r3 times \w to the sums, by r4, 11 cycles; without the highest lane 9, behind LOW_WORD. */
        .macro  WORD begin, w, t0, t1, t2, t3
        .if     LANES > 3
        lsrs    r4, r3, #8
        muls    r4, \w
        SUM_TO  \begin, \t1, r4
        lsrs    r4, r3, #16
        muls    r4, \w
        SUM_TO  \begin, \t2, r4
        lsrs    r4, r3, #24
        muls    r4, \w
        SUM_TO  \begin, \t3, r4
        .else
        lsrs    r4, r3, #16
        muls    r4, \w
        SUM_TO  \begin, \t1, r4
        lsrs    r4, r3, #24
        muls    r4, \w
        SUM_TO  \begin, \t2, r4
        lsrs    r3, r3, #8
        .endif
        muls    r3, \w
        SUM_TO  \begin, \t0, r3
        .endm

/* The word in r3 without its highest lane, which is nothing then. */
        .macro  LOW_WORD
        .if     LANES < 4
        lsls    r3, r3, #8
        .endif
        .endm

/* A sum in r2 to a pixel at bit \shift of \out, 13 cycles, or 9 if it is below 0. With the sum, which is acc << up,
 * 2^16 h + l, its product by mult, of which 16 bits are dropped, is h * mult + (l * mult >> 16); l * mult fits 32 bits.
 */
        .macro  PIXEL mult, more, out, word, shift
        uxth    r3, r2
        asrs    r2, r2, #16
        muls    r2, \mult
        muls    r3, \mult
        asrs    r3, r3, #16
        adds    r2, r2, r3
        adds    r2, r2, \more
        bmi     .Lnext\word\()_\shift
        lsrs    r2, r2, #16
        cmp     r2, #255
        bhi     .Labove\word\()_\shift
.Lfits\word\()_\shift:
        .if     \shift
        lsls    r2, r2, #\shift
        .endif
        orrs    \out, r2
.Lnext\word\()_\shift:
        .endm

        .macro  ABOVE word, shift
.Labove\word\()_\shift:
        movs    r2, #255
        b       .Lfits\word\()_\shift
        .endm

/* What the pixels of a word, of any name, jump to: within the reach of a conditional branch. */
        .macro  ABOVE_WORD word
        .if     LANES > 3
        ABOVE   \word, 24
        .endif
        ABOVE   \word, 16
        ABOVE   \word, 8
        ABOVE   \word, 0
        .endm

#endif
#endif
