/* sparse_strips.h - assembler macros: a layer, and strips of 1 to 4 words, over the word macros of sparse_<isa>.h.
 *
 *     r3        byte address of the next entry's pixels; within an entry the last word loaded, then its offset
 *     r0-r2     words loaded; free between entries
 *     r4-r11    sums of words 0, 1, 2, 3: two registers each
 *               in strips of up to 3 words r11 is where the next strip is written, r10 where the run ends, or, over
 *               programs of bytes, the bytes of a channel of x
 *     r12       program: behind the token that was read last (strips of 4, programs of halfwords), or behind its list
 *     lr        byte address from which offsets count
 */
/* clang-format off */
#ifndef MCUGEN_SPARSE_STRIPS_H
#define MCUGEN_SPARSE_STRIPS_H
#ifdef __ASSEMBLER__

#include "mcugen.h"

/* The frame, in bytes from sp. */
        .equ    SCALE, 0        /* the channel's tail: mult | shift << 16, add */
        .equ    ADD, 4
        .equ    OUT, 8          /* where the next strip of 4 words is written; for a step of 1, less lr */
        .equ    OUT_END, 12     /* where the run ends; for strips of 4 words and a step of 1 the same for lr */
        .equ    FIRST, 16       /* the program's first offset, in bytes */
        .equ    PROGRAM, 20     /* behind its first token */
        .equ    RUN, 24         /* the next run */
        .equ    RUNS_END, 28
        .equ    X, 32
        .equ    Y, 36           /* the channel's plane */
        .equ    TAIL, 40        /* the next channel's tail */
        .equ    TAILS_END, 44
        .equ    RUNS, 48
        .equ    PLANE, 52       /* bytes */
        .equ    ABOVE, 56       /* 255 - hi, 255 - hi + lo, lo, in every byte */
        .equ    BELOW, 60
        .equ    LEAST, 64
        .equ    SEAL, 68        /* arguments of mcugen1_lanes_seal */
        .equ    BASE, 76        /* lr, while it holds a shift */
        .equ    HOME, 80        /* r1, the table of the strip's tokens, while it holds an addend */
        .equ    TABLE, 84       /* address of the function for strips of n words, less 4 * n */
        .equ    READY, 88       /* two words that PREPARE makes of the tail for token 0 */
        .equ    WIDE, 96        /* 32-bit sums of a strip, or of nibbles S: 16 bytes for each of 4 words */
        .equ    AT, 160         /* r12, while it holds half of a product */
        .equ    DECODER, 164    /* struct mcugen_sparse_decoder: tail, weights, tails, bits, spare, rest */
        .equ    KERNEL, 192
        .equ    SCRATCH, 196
        .equ    TO_DECODE, 200  /* channels */
        .equ    X_PLANE, 204    /* bytes of a channel of x, for programs of bytes; else 0 */
        .equ    UNUSUAL, 208    /* the same + 1 if tails have 2 words in place of 3 halfwords */
        .equ    FRAME, 212      /* with 9 registers a multiple of 8 */

/* And of a layer of pairs (paired_layer.h): the same for the channel that ends first, and the sums that are kept. */
        .equ    OTHER, 204      /* bytes from a word of the channel that ends last to that of the other */
        .equ    OTHER_SCALE, 212
        .equ    OTHER_ADD, 216
        .equ    OTHER_READY, 220
        .equ    KEPT, 228       /* 32 bytes */
        .equ    PAIRED_FRAME, 260

/* Behind the tokens in the table of a strip, for the code that strips of all widths share (sparse_shift.S,
 * sparse_split.S, sparse_long.S): where to go on. The table is at r1.
 */
        .equ    NEXT, 4 * 27    /* to the next token */
        .equ    CLAMP, 4 * 28   /* to the pixels' clamp and the end */

        .equ    FIRST_CLAMP, 4 * 34 - CLAMP     /* to be added to r1: CLAMP is that of the channel that ends first */

        .macro  WORD_CLEAR e, o
        mov     \e, #0
        mov     \o, #0
        .endm

/* \op for the sums of every word of a strip. */
        .macro  EACH words, op
        \op     r4, r5
        .if     \words > 1
        \op     r6, r7
        .endif
        .if     \words > 2
        \op     r8, r9
        .endif
        .if     \words > 3
        \op     r10, r11
        .endif
        .endm

/* The same with a place in the frame for the sums of each word, of \size bytes from \start on. */
        .macro  EACH_AT words, op, start, size
        \op     r4, r5, \start
        .if     \words > 1
        \op     r6, r7, \start + \size
        .endif
        .if     \words > 2
        \op     r8, r9, \start + 2 * \size
        .endif
        .if     \words > 3
        \op     r10, r11, \start + 3 * \size
        .endif
        .endm

/* Sums to the place where they are kept, and back, a cycle for each. */
        .macro  WORD_KEEP e, o, at
        str     \e, [sp, #\at]
        str     \o, [sp, #\at + 4]
        .endm

        .macro  WORD_KEPT e, o, at
        ldr     \e, [sp, #\at]
        ldr     \o, [sp, #\at + 4]
        .endm

/* The 4 words of an entry. */
        .macro  LOAD_4 step
        .if     \step == 1
        ldm     r3, {r0-r3}
        .else
        ldr     r0, [r3]
        ldr     r1, [r3, #4 * \step]
        ldr     r2, [r3, #8 * \step]
        ldr     r3, [r3, #12 * \step]
        .endif
        .endm

/* An entry: the pixels at r3 into the sums by \op, and r3 = address of the pixels of the next entry. Its offset is the
 * halfword at r12 + 2 * \at, or in strips of 4 words at r12, which goes on by \by; or, with \size = 1, the byte at
 * r12 + \at, a channel of x.
 *
 * 4 words with the DSP extension: 5 + 8 + 2 + 1 = 16 cycles. With fewer there is a register for each word, so the loads
 * follow one another and each but the first takes one cycle: 12, 9 and 6. Without it a word takes a cycle more: 20, 15,
 * 11 and 7. The address is never made right before it is used. Channels are multiplied: a cycle more without the DSP
 * extension, and one in strips of 4 words, which have no register for the plane and load it before the channel.
 */
        .macro  ENTRY words, step, size, op, at, by=2
        .if     \words == 4
        LOAD_4  \step
        \op     r10, r11, r3
        .if     \size == 1
        \op     r4, r5, r0
        ldr     r0, [sp, #X_PLANE]
        ldrb    r3, [r12, #\at]
        \op     r6, r7, r1
        mla     r3, r3, r0, lr
        .else
        ldrh    r3, [r12], #\by
        \op     r4, r5, r0
        add     r3, lr, r3, lsl #2
        \op     r6, r7, r1
        .endif
        \op     r8, r9, r2
        .else
        ldr     r0, [r3]
        .if     \words > 1
        ldr     r1, [r3, #4 * \step]
        .endif
        .if     \words > 2
        ldr     r2, [r3, #8 * \step]
        .endif
        .if     \size == 1
        ldrb    r3, [r12, #\at]
        .else
        ldrh    r3, [r12, #2 * \at]
        .endif
        .if     \words > 1
        \op     r4, r5, r0
        .endif
        .if     \size == 1
        mla     r3, r3, r10, lr
        .else
        add     r3, lr, r3, lsl #2
        .endif
        .if     \words == 1
        \op     r4, r5, r0
        .else
        \op     r6, r7, r1
        .endif
        .if     \words > 2
        \op     r8, r9, r2
        .endif
        .endif
        .endm

/* The next token, by the table at label 8: 7 cycles, or 8 where r12 goes behind the list that the token begins; one less
 * with \table = 0, where r1 is still the table. \first: the program's first token, which r12 is behind.
 */
        .macro  DISPATCH words, size, table=1, first=0
        .if     \table
        adr.w   r1, 8b
        .endif
        .if     \first && \size == 1
        ldrb    r0, [r12, #-1]
        .elseif \first
        ldrh    r0, [r12, #-2]
        .elseif \size == 1
        ldrb    r0, [r12], #1
        .else
        ldrh    r0, [r12], #2
        .endif
        .if     \words < 4 || \size == 1
        add     r12, r12, r0, lsl #\size - 1
        .endif
        ldr     pc, [r1, r0, lsl #2]
        .endm

/* An entry of 4 words and the next token, which r12 is behind, by loads that follow one another: 22 cycles in place of
 * 16 + 7.
 */
        .macro  LAST_ENTRY step, op
        LOAD_4  \step
        \op     r10, r11, r3
        \op     r4, r5, r0
        ldrh    r3, [r12, #-4]
        ldrh    r0, [r12, #-2]
        \op     r6, r7, r1
        adr.w   r1, 8b
        add     r3, lr, r3, lsl #2
        \op     r8, r9, r2
        ldr     pc, [r1, r0, lsl #2]
        .endm

/* A program's first entry by \op, r12 behind the token that follows it, and that token. */
        .macro  FIRST_ENTRY words, step, size, op
        .if     \words == 4 && \size == 2
        LAST_ENTRY \step, \op
        .else
        ENTRY   \words, \step, \size, \op, -2
        DISPATCH \words, \size, first=1
        .endif
        .endm

/* A list of n entries by \op, from label 100 + n on, and where it begins, tokens 1 to 16. */
        .macro  ENTRIES words, step, size, op
        .irp    n, 116, 115, 114, 113, 112, 111, 110, 109, 108, 107, 106, 105, 104, 103
\n:     ENTRY   \words, \step, \size, \op, (100 - \n)
        .endr
102:    ENTRY   \words, \step, \size, \op, -2, 6        /* r12 goes behind the next token */
        .if     \words == 4 && \size == 2
        LAST_ENTRY \step, \op
        .endif
101:    ENTRY   \words, \step, \size, \op, -1
        .endm

        .macro  ENTRY_TABLE
        .word   101f + 1, 102f + 1, 103f + 1, 104f + 1, 105f + 1, 106f + 1, 107f + 1, 108f + 1
        .word   109f + 1, 110f + 1, 111f + 1, 112f + 1, 113f + 1, 114f + 1, 115f + 1, 116f + 1
        .endm

/* r12 back by \offsets of a list that its token does not begin, where DISPATCH takes it behind one. */
        .macro  BEHIND words, size, offsets
        .if     \words < 4 || \size == 1
        sub     r12, r12, #\size * (\offsets)
        .endif
        .endm

/* A token whose code strips of all widths share: its number is \token, r2 the number of words, r12 behind the token. */
        .macro  SHARED words, size, token, to
        BEHIND  \words, \size, \token
        mov     r2, #\words
        b       \to
        .endm

/* There: \op for the sums of the strip's r2 words, the last word first; \wide: and with the place of the 16 bytes that each
 * has from WIDE on; \far: of more than 500 bytes.
 */
        .macro  BY_WORDS op, wide=0, far=0
        .if     \far
        tbh     [pc, r2, lsl #1]
7:      .hword  0, (1f - 7b) / 2, (2f - 7b) / 2, (3f - 7b) / 2, (4f - 7b) / 2
        .else
        tbb     [pc, r2]
7:      .byte   0, (1f - 7b) / 2, (2f - 7b) / 2, (3f - 7b) / 2, (4f - 7b) / 2, 0
        .endif
        .if     \wide
4:      \op     r10, r11, WIDE + 48
3:      \op     r8, r9, WIDE + 32
2:      \op     r6, r7, WIDE + 16
1:      \op     r4, r5, WIDE
        .else
4:      \op     r10, r11
3:      \op     r8, r9
2:      \op     r6, r7
1:      \op     r4, r5
        .endif
        .endm

/* For an end in 32 bits: r0, r1 = the channel's tail, lr = its shift; and from there back to the strip. */
        .macro  LOAD_WIDE_TAIL scale=SCALE, add=ADD
        str     lr, [sp, #BASE]
        str     r1, [sp, #HOME]
        ldr     r0, [sp, #\scale]
        ldr     r1, [sp, #\add]
        asr     lr, r0, #16
        sxth    r0, r0
        .endm

/* For an end in 64 bits: the pixel of \v in \y, by r0 = mult << (32 - shift), lr:r1 = add << (32 - shift). The upper half
 * of the sum is the result, in 32 bits; r12 is free.
 */
        .macro  PIXEL_LONG y, v
        mov     r12, r1
        mov     \y, lr
        smlal   r12, \y, \v, r0
        usat    \y, #8, \y
        .endm

        .macro  TO_CLAMP
        ldr     r0, [sp, #HOME]
        ldr     lr, [sp, #BASE]
        ldr     pc, [r0, #CLAMP]
        .endm

/* A run begins: r5 and r6 to where its strips look for them, r3 = the first entry's pixels. */
        .macro  BEGIN_RUN words, step, size
        .if     \words < 4
        mov     r11, r5
        .if     \size == 1
        ldr     r10, [sp, #X_PLANE]
        str     r6, [sp, #OUT_END]
        .else
        mov     r10, r6
        .endif
        .else
        .if     \step == 1
        sub     r5, r5, lr
        sub     r6, r6, r5
        .endif
        strd    r5, r6, [sp, #OUT]
        .endif
        ldr     r3, [sp, #FIRST]
        add     r3, r3, lr
        .endm

/* The pixels of a strip, in r4, r6, r8 and r10, to where they belong; on to the next strip, at label 32, if there is one. */
        .macro  STORE_STRIP words, step, size
        .if     \words == 4
        ldr     r0, [sp, #OUT]
        ldr     r1, [sp, #OUT_END]
        ldr     r3, [sp, #FIRST]
        .if     \step == 1
        add     r0, r0, lr
        add     lr, lr, #16
        cmp     lr, r1
        .else
        add     lr, lr, #16 * \step
        .endif
        str     r4, [r0]
        str     r6, [r0, #4]
        str     r8, [r0, #8]
        str     r10, [r0, #12]
        .if     \step > 1
        add     r0, r0, #16
        str     r0, [sp, #OUT]
        cmp     r0, r1
        .endif
        .else
        ldr     r3, [sp, #FIRST]
        .if     \size == 1
        ldr     r1, [sp, #OUT_END]
        .endif
        .if     \words == 3
        stm     r11!, {r4, r6, r8}
        .elseif \words == 2
        stm     r11!, {r4, r6}
        .else
        str     r4, [r11], #4
        .endif
        add     lr, lr, #4 * \words * \step
        .if     \size == 1
        cmp     r11, r1
        .else
        cmp     r11, r10
        .endif
        .endif
        add     r3, r3, lr
        bne     32b
        .endm

/* A function that runs a program for each strip of a run, to r5 .. r6, and goes on to mcugen1_sparse_next, r12 behind the
 * program.
 *
 * Z is clear wherever a strip begins, and before an end nothing but tokens 23 and 32 sets flags: there Z tells them from
 * tokens 0 and 31.
 *
 * \size: bytes of a program's offsets and tokens. A program of bytes is never split.
 *
 * \pairs = 1: programs may be of two channels (paired.h), and it goes on to mcugen1_paired_next.
 */
        .macro  STRIPS name, words, step, size=2, pairs=0
        HOT     \name
        .thumb
        .p2align 2
8:      .word   30f + 1
        ENTRY_TABLE
        .if     \size == 2
        .word   17f + 1, 18f + 1, 19f + 1, 20f + 1, 21f + 1, 22f + 1, 23f + 1, 24f + 1
        .else
        .word   17f + 1, 18f + 1, 19f + 1, 0, 0, 0, 23f + 1, 0
        .endif
        .word   28f + 1, 29f + 1, 25f + 1, 26f + 1
        .if     \pairs
        .word   33f + 1, 34f + 1, 35f + 1, 36f + 1, 39f + 1, 38f + 1
        .weak   mcugen1_paired_split
        .endif

        .weak   mcugen1_sparse_shift, mcugen1_sparse_split, mcugen1_sparse_split_add
        .weak   mcugen1_sparse_split_end, mcugen1_sparse_long
        HEAD    \name
        BEGIN_RUN \words, \step, \size
32:     ldr     r12, [sp, #PROGRAM]
        FIRST_ENTRY \words, \step, \size, WORD_SET

        ENTRIES \words, \step, \size, WORD_ADD
25:     DISPATCH \words, \size

17:                                     /* sums = c - sums */
        .if     \size == 1
        ldrb    r0, [r12, #-17]
        ldrsb   r2, [r12, #-16]
        sub     r12, r12, #15
        orr     r0, r0, r2, lsl #8
        .elseif \words == 4
        ldrsh   r0, [r12], #2
        .else
        ldrsh   r0, [r12, #-34]
        sub     r12, r12, #32
        .endif
        CENTRE
        EACH    \words, WORD_NEGATE
        DISPATCH \words, \size, 0

18:                                     /* sums = 0 */
        BEHIND  \words, \size, 18
        EACH    \words, WORD_CLEAR
        DISPATCH \words, \size, 0

19:     SHARED  \words, \size, 19, mcugen1_sparse_shift
        .if     \size == 2
20:     SHARED  \words, \size, 20, mcugen1_sparse_split
21:     SHARED  \words, \size, 21, mcugen1_sparse_split_add
22:     SHARED  \words, \size, 22, mcugen1_sparse_split_end
24:     SHARED  \words, \size, 24, mcugen1_sparse_long
        .endif

23:                                     /* the end of most channels with a clamp to other limits */
        BEHIND  \words, \size, 23
        cmp     r0, r0
        b       30f

29:                                     /* tokens 26 and 25, the end of channels with large multipliers */
        BEHIND  \words, \size, 1
        EACH    \words, WORD_TWICE
28:
        BEHIND  \words, \size, 25
        EACH    \words, WORD_TWICE
30:                                     /* the end of most channels */
        LOAD_TAIL
        EACH    \words, WORD_SCALE
        END_TAIL
        beq     26f
31:     STORE_STRIP \words, \step, \size
        .if     \pairs
        b       mcugen1_paired_next
        .else
        b       mcugen1_sparse_next
        .endif

26:     LOAD_LIMITS
        EACH    \words, WORD_CLAMP
        b       31b

        .if     \pairs
33:                                     /* token 29: the sums are kept */
        BEHIND  \words, \size, 29
        EACH_AT \words, WORD_KEEP, KEPT, 8
        DISPATCH \words, \size, 0

34:                                     /* token 30: sums + 2 * those kept are kept */
        BEHIND  \words, \size, 30
        EACH_AT \words, WORD_COMBINE, KEPT, 8
        DISPATCH \words, \size, 0

36:                                     /* token 32: as 31, with a clamp to other limits */
        BEHIND  \words, \size, 1
        cmp     r0, r0
35:                                     /* token 31: the end of one channel; the sums kept are the other's */
        BEHIND  \words, \size, 31
        str     r3, [sp, #AT]
        LOAD_TAIL OTHER_READY, OTHER_ADD
        EACH    \words, WORD_SCALE
        END_TAIL
        beq     38f
37:
        ldr     r1, [sp, #OTHER]
        .if     \words == 4
        ldr     r0, [sp, #OUT]
        ldr     r3, [sp, #AT]
        add     r0, r0, r1
        .if     \step == 1
        add     r0, r0, lr
        .endif
        .else
        ldr     r3, [sp, #AT]
        add     r0, r11, r1
        .endif
        adr.w   r1, 8b
        str     r4, [r0]
        .if     \words > 1
        str     r6, [r0, #4]
        .endif
        .if     \words > 2
        str     r8, [r0, #8]
        .endif
        .if     \words > 3
        str     r10, [r0, #12]
        .endif
        EACH_AT \words, WORD_KEPT, KEPT, 8
        DISPATCH \words, \size, 0

39:                                     /* token 33: as 31, of 32-bit sums + sums */
        str     r3, [sp, #AT]
        add     r1, r1, #FIRST_CLAMP
        SHARED  \words, \size, 33, mcugen1_paired_split

38:     LOAD_LIMITS
        EACH    \words, WORD_CLAMP
        cmp     lr, #0                  /* Z is clear again */
        b       37b
        .endif
        .size   \name, . - \name
        .endm

/* Of a layer: what clamps of bytes take; r0 and r5 are free. */
        .macro  STORE_LIMITS lo, hi
        mov     r0, #0x01010101
        rsb     \hi, \hi, #255
        add     r5, \hi, \lo
        mul     \hi, \hi, r0
        mul     r5, r5, r0
        mul     \lo, \lo, r0
        str     \hi, [sp, #ABOVE]
        str     r5, [sp, #BELOW]
        str     \lo, [sp, #LEAST]
        .endm

/* A packed tail, of halfwords in r2, r3 and r1, to r2 = mult | shift << 16, r3 = add; r1 is free. */
        .macro  UNPACK_TAIL
        orr     r3, r3, r1, lsl #16
        and     r1, r3, #31
        orr     r2, r2, r1, lsl #16
        asr     r3, r3, #5
        subs    r1, r1, #16
        it      hi
        lslhi   r3, r3, r1
        .endm

/* To the strips of the run at r0. */
        .macro  TO_RUN
        ldrh    r1, [r0]                /* first word of x */
        ldrh    r2, [r0, #2]            /* first word of y */
        ldrh    r3, [r0, #4]            /* words of y */
        ldrh    r4, [r0, #6]            /* words of a strip */
        ldr     r5, [sp, #X]
        ldr     r6, [sp, #Y]
        ldr     r7, [sp, #TABLE]
        add     r0, r0, #8
        str     r0, [sp, #RUN]
        add     lr, r5, r1, lsl #2
        add     r5, r6, r2, lsl #2
        add     r6, r5, r3, lsl #2
        ldr     pc, [r7, r4, lsl #2]
        .endm

/* void \name(const struct mcugen_sparse *k, const void *x, void *y, void *scratch): channels, and runs of strips.
 *
 * Only the strips that a model uses are linked, by MCUGEN_PART: the others are undefined and weak, and never called.
 *
 * \strips: what the names of strips begin with; \bytes = 1: there are some for programs of bytes; \prepare: what is made
 * of a channel's tail.
 */
        .macro  LAYER name, strips=mcugen1_sparse, seal=mcugen1_lanes_seal, bytes=1, prepare=PREPARE
        .weak   \strips\()1, \strips\()2, \strips\()3, \strips\()4
        .weak   \strips\()1x2, \strips\()2x2, \strips\()3x2, \strips\()4x2
        .if     \bytes
        .weak   \strips\()1b, \strips\()2b, \strips\()3b, \strips\()4b
        .endif

        HOT     \name
        .thumb
        .p2align 2
8:      .word   \strips\()1, \strips\()2, \strips\()3, \strips\()4
        .word   \strips\()1x2, \strips\()2x2, \strips\()3x2, \strips\()4x2
        .if     \bytes
        .word   \strips\()1b, \strips\()2b, \strips\()3b, \strips\()4b
        .endif

        HEAD    \name
        push    {r4-r11, lr}
        sub     sp, sp, #FRAME
        ldr     r12, [r0]               /* weights */
        mov     lr, r3                  /* scratch */
        str     r1, [sp, #X]
        ldr     r3, [r0, #4]            /* tails */
        ldr     r4, [r0, #8]            /* runs */
        ldrh    r5, [r0, #12]           /* run_count */
        ldrb    r6, [r0, #14]           /* lo */
        ldrb    r7, [r0, #15]           /* hi */
        ldrh    r8, [r0, #16]           /* out.channels */
        ldr     r9, [r0, #28]           /* out.plane */
        ldrb    r10, [r0, #32]          /* step */
        ldr     r11, [r0, #40]          /* decode */
        ldrh    r1, [r0, #34]           /* x_plane */
        strd    r0, lr, [sp, #KERNEL]
        ldr     lr, [r0, #36]           /* packing */
        add     r0, r0, #16             /* out */
        str     r0, [sp, #SEAL]
        str     r2, [sp, #SEAL + 4]
        str     r2, [sp, #Y]
        lsl     r1, r1, #2
        str     r1, [sp, #X_PLANE]
        mov     r2, #0
        cmp     r11, #0
        itt     ne
        movne   r2, r8                  /* all channels are decoded */
        movne   r8, #0                  /* and none has its program in flash */
        str     r2, [sp, #TO_DECODE]
        orrs    r0, r3, r11
        it      ne
        addne   r1, r1, #1
        str     r1, [sp, #UNUSUAL]
        add     r0, r3, r8, lsl #3
        cmp     r3, #0
        ittt    eq
        moveq   r3, lr
        addeq   r8, r8, r8, lsl #1
        addeq   r0, r3, r8, lsl #1
        strd    r3, r0, [sp, #TAIL]
        add     r5, r4, r5, lsl #3
        str     r4, [sp, #RUNS]
        str     r5, [sp, #RUNS_END]
        lsl     r9, r9, #2
        str     r9, [sp, #PLANE]
        STORE_LIMITS r6, r7
        adr.w   r0, 8b
        sub     r0, r0, #20             /* 4 for strips of 1 word, 16 for a step of 1 */
        add     r0, r0, r10, lsl #4
        cmp     r1, #1
        it      hi
        addhi   r0, r0, #32             /* programs of bytes */
        str     r0, [sp, #TABLE]
        cmp     r11, #0
        beq     1f

        ldr     r0, [sp, #KERNEL]       /* nothing is decoded yet */
        ldr     r1, [r0, #36]
        add     r1, r1, #22             /* the first tail */
        strd    r12, r1, [sp, #DECODER + 8]
        mov     r0, #0
        mvn     r1, #15
        str     r0, [sp, #DECODER + 16]
        strd    r1, r0, [sp, #DECODER + 20]
        ldr     r0, [sp, #TO_DECODE]
4:                                      /* decodes a channel, the first of r0; its tail is the only one */
        sub     r0, r0, #1
        str     r0, [sp, #TO_DECODE]
        ldrd    r0, r2, [sp, #KERNEL]
        add     r1, sp, #DECODER
        ldr     r3, [r0, #40]
        blx     r3
        mov     r12, r0
        add     r0, sp, #DECODER
        add     r1, r0, #8
        strd    r0, r1, [sp, #TAIL]

1:                                      /* a channel: r12 = its program */
        ldr     r1, [sp, #UNUSUAL]
        cmp     r1, #0
        bne     5f
        ldrh    r0, [r12], #6
        lsl     r0, r0, #2
        strd    r0, r12, [sp, #FIRST]
        ldr     r0, [sp, #TAIL]
6:      ldrh    r2, [r0]
        ldrh    r3, [r0, #2]
        ldrh    r1, [r0, #4]
        add     r0, r0, #6
        UNPACK_TAIL
9:      strd    r2, r3, [sp, #SCALE]
        \prepare
        str     r0, [sp, #TAIL]
        ldr     r0, [sp, #RUNS]
        cmp     r0, #0                  /* Z is clear: see STRIPS */
2:                                      /* a run, at r0 */
        TO_RUN

5:      bics    r2, r1, #1
        ite     ne
        ldrbne  r0, [r12], #3           /* a program of bytes */
        ldrheq  r0, [r12], #6
        it      eq
        moveq   r2, #4
        mul     r0, r0, r2
        strd    r0, r12, [sp, #FIRST]
        ldr     r0, [sp, #TAIL]
        lsls    r1, r1, #31
        beq     6b
        ldrd    r2, r3, [r0], #8        /* a tail of 8 bytes */
        b       9b

/* Where strips go on after a run: r12 is behind the channel's program. */
        HEAD    \strips\()_next
        ldrd    r0, r1, [sp, #RUN]
        cmp     r0, r1
        bne     2b
        ldr     r0, [sp, #Y]
        ldr     r1, [sp, #PLANE]
        add     r0, r0, r1
        str     r0, [sp, #Y]
        ldrd    r0, r1, [sp, #TAIL]
        cmp     r0, r1
        bne     1b
        ldr     r0, [sp, #TO_DECODE]
        cmp     r0, #0
        bne     4b
        ldrd    r0, r1, [sp, #SEAL]
        add     sp, sp, #FRAME
        pop     {r4-r11, lr}
        b       \seal
        .size   \name, . - \name
        .endm

#endif
#endif
