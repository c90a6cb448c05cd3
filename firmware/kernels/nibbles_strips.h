/* nibbles_strips.h - assembler macros: strips of 1 to 4 words of eight pixels, over those of sparse_strips.h and the byte
 * macros of nibbles_<isa>.h; MCUGEN_NIBBLES where there are any.
 *
 * Registers are those of sparse_strips.h. With the pixels 0 .. 7 of the words x of a chunk, and their sums s0 .. s7
 *
 *     \e = sum of (x & 0x0f0f0f0f) = s0 + 2^8 s2 + 2^16 s4 + 2^24 s6
 *     \o = sum of (x >> 4) = s1 + 2^8 s3 + 2^16 s5 + 2^24 s7 + 2^4 (s2 + 2^8 s4 + 2^16 s6)
 *
 * modulo 2^32. No sum leaves 0 .. 255, so none of \e carries, and \o less 2^4 (\e >> 8) is the sums of the odd pixels.
 * Between entries and for token 17 \o stays as it is.
 */
/* clang-format off */
#ifndef MCUGEN_NIBBLES_STRIPS_H
#define MCUGEN_NIBBLES_STRIPS_H
#if defined(__ASSEMBLER__) && defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_FEATURE_MVE)

#define MCUGEN_NIBBLES
#if defined(__ARM_FEATURE_DSP)
#include "nibbles_dsp.h"
#else
#include "nibbles_m3.h"
#endif
#include "sparse_strips.h"

        .macro  NIBBLES_SET e, o, x
        lsr     \o, \x, #4
        and     \e, \x, #0x0f0f0f0f
        .endm

        .macro  NIBBLES_ADD e, o, x
        add     \o, \o, \x, lsr #4
        and     \x, \x, #0x0f0f0f0f
        add     \e, \e, \x
        .endm

/* Token 17: r0, r2 = what NIBBLES_NEGATE takes sums from, of c in both bytes of r0's lower half. */
        .macro  NIBBLES_CENTRE
        orr     r0, r0, r0, lsl #16
        bic     r2, r0, #255
        add     r2, r0, r2, lsr #4
        .endm

        .macro  NIBBLES_NEGATE e, o
        sub     \e, r0, \e
        sub     \o, r2, \o
        .endm

/* Tokens 22 and 24 to 26: 255 less each sum, 255 in bytes as NIBBLES_CENTRE has it in r2 being r0. */
        .macro  NIBBLES_NOT e, o
        mvn     \e, \e
        sub     \o, r0, \o
        .endm

        .macro  LOAD_NOT
        movw    r0, #0xffef
        movt    r0, #0x0fff
        .endm

/* The sums of odd pixels alone in \o. */
        .macro  APART e, o, by
        bic     \by, \e, #255
        sub     \o, \o, \by, lsr #4
        .endm

/* Token 20. */
        .macro  SUMS_SET e, o, at
        APART   \e, \o, r1
        BYTES_SET \e, \at
        BYTES_SET \o, \at + 8
        .endm

/* Tokens 21 and 22, 15 cycles for a word, or 17 without the DSP extension. */
        .macro  SUMS_ADD e, o, at
        APART   \e, \o, r0
        ldr     r0, [sp, #\at]
        ldr     r1, [sp, #\at + 4]
        ldr     r2, [sp, #\at + 8]
        ldr     r3, [sp, #\at + 12]
        BYTES_ADD r0, r1, \e
        BYTES_ADD r2, r3, \o
        str     r0, [sp, #\at]
        str     r1, [sp, #\at + 4]
        str     r2, [sp, #\at + 8]
        str     r3, [sp, #\at + 12]
        .endm

/* Ends: the pixels of \e and \o in \e; r12 is free. */
        .macro  NIBBLES_SCALE e, o
        APART   \e, \o, r12
        BYTES_SCALE r12, \e
        BYTES_SCALE \e, \o
        orr     \e, r12, \e, lsl #4
        .endm

        .macro  NIBBLES_SUMS_SCALE e, o, at
        APART   \e, \o, r12
        SUMS_SCALE r12, \e, \at
        SUMS_SCALE \e, \o, \at + 8
        orr     \e, r12, \e, lsl #4
        .endm

        .macro  NIBBLES_CLAMP e, o
        and     \o, \e, #0x0f0f0f0f
        lsr     \e, \e, #4
        and     \e, \e, #0x0f0f0f0f
        BYTES_CLAMP \o
        BYTES_CLAMP \e
        orr     \e, \o, \e, lsl #4
        .endm

/* A function that runs a program for each strip of a run, to r5 .. r6, and goes on to mcugen1_nibbles_next, r12 behind the
 * program. Z is clear wherever a strip begins, and nothing but tokens 23 and 26 sets flags before the end.
 */
        .macro  NIBBLES name, words, step
        HOT     \name
        .thumb
        .p2align 2
8:      .word   30f + 1
        ENTRY_TABLE
        .word   17f + 1, 18f + 1, 19f + 1, 20f + 1, 21f + 1, 22f + 1, 23f + 1, 24f + 1, 25f + 1, 26f + 1
        .word   0, 40f + 1              /* CLAMP */

        .weak   mcugen1_nibbles_shift, mcugen1_nibbles_shift_sums
        HEAD    \name
        BEGIN_RUN \words, \step, 2
32:     ldr     r12, [sp, #PROGRAM]
        FIRST_ENTRY \words, \step, 2, NIBBLES_SET

        ENTRIES \words, \step, 2, NIBBLES_ADD
        DISPATCH \words, 2

17:                                     /* B = c - B */
        .if     \words == 4
        ldrh    r0, [r12], #2
        .else
        ldrh    r0, [r12, #-34]
        sub     r12, r12, #32
        .endif
        NIBBLES_CENTRE
        EACH    \words, NIBBLES_NEGATE
        DISPATCH \words, 2, 0

18:                                     /* B = 0 */
        BEHIND  \words, 2, 18
        EACH    \words, WORD_CLEAR
        DISPATCH \words, 2, 0

20:                                     /* S = B + c, and the next chunk's first entry */
        .if     \words == 4
        ldrsh   r0, [r12], #6
        .else
        ldrsh   r0, [r12, #-40]
        sub     r12, r12, #40 - 6
        .endif
        CENTRE
        EACH_AT \words, SUMS_SET, WIDE, 16
        FIRST_ENTRY \words, \step, 2, NIBBLES_SET

22:                                     /* S = S + 255 - B */
        BEHIND  \words, 2, 1
        LOAD_NOT
        EACH    \words, NIBBLES_NOT
21:                                     /* S = S + B, and the next chunk's first entry */
        .if     \words == 4
        add     r12, r12, #4
        .else
        sub     r12, r12, #2 * 21 - 4
        .endif
        str     r3, [sp, #AT]
        EACH_AT \words, SUMS_ADD, WIDE, 16
        ldr     r3, [sp, #AT]
        FIRST_ENTRY \words, \step, 2, NIBBLES_SET

25:     SHARED  \words, 2, 25, mcugen1_nibbles_shift_sums
19:     SHARED  \words, 2, 19, mcugen1_nibbles_shift

26:                                     /* as 24, with a clamp to other limits */
        BEHIND  \words, 2, 2
        cmp     r0, r0
24:                                     /* the end of S + 255 - B */
        BEHIND  \words, 2, 24
        str     r12, [sp, #AT]
        LOAD_NOT
        EACH    \words, NIBBLES_NOT
        NIBBLES_TAIL
        EACH_AT \words, NIBBLES_SUMS_SCALE, WIDE, 16
        bne     31f
        b       40f

23:                                     /* as 0, with a clamp to other limits */
        BEHIND  \words, 2, 23
        cmp     r0, r0
30:                                     /* the end of B */
        str     r12, [sp, #AT]
        NIBBLES_TAIL
        EACH    \words, NIBBLES_SCALE
        beq     40f
31:     STORE_STRIP \words, \step, 2
        ldr     r12, [sp, #AT]
        b       mcugen1_nibbles_next

40:     LOAD_NIBBLE_LIMITS
        EACH    \words, NIBBLES_CLAMP
        b       31b
        .size   \name, . - \name
        .endm

#endif
#endif
