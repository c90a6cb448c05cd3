/* sparse_m0.h - assembler macros: a layer, and strips of 1 to 4 words, for Armv6-M.
 *
 *     r3        byte address of the next entry's pixels (strips of 1 word: what it is beyond r6); in strips of 4 words
 *               within an entry the last word loaded
 *     r0-r2     words loaded; free between entries
 *     r8, r9    sums of word 0: two registers each
 *     r10, r11  of word 1
 *     r12, lr   of word 2
 *     r4, r7    of word 3; r4 in shorter strips over programs of bytes: bytes of a channel of x
 *     r5        program: r5 + 2 * i is the offset that entry i of the 16 loads, r5 + 32 the token behind the list; or, in
 *               bytes, r5 + i and r5 + 16
 *     r6        byte address from which offsets count
 *
 * With the pixels a, b, c, d of a word x, lowest byte first, the sums are modulo 2^32
 *
 *     \e = sum of x        = sum a + 2^8 sum b + 2^16 sum c + 2^24 sum d
 *     \o = sum of REV16(x) = sum b + 2^8 sum a + 2^16 sum d + 2^24 sum c
 *
 * three instructions for a word, which need no other register. Then
 *
 *     \e - 2^8 \o = sum a + 2^16 (sum c - sum a)        \o - 2^8 \e = sum b + 2^16 (sum d - sum b)
 *
 * modulo 2^32: the lower half is sum a modulo 2^16, and with a sum that is proven to fit 16 bits, signed, its carry into
 * the upper half is known, so that sum c modulo 2^16 is found. Sum c has no part in sum a, nor has sum d in sum b: a lane
 * with a garbage row, whose sum may not fit, does harm only to lanes above it, which have garbage there too.
 *
 * Cycles are those of the Cortex-M0+; on the Cortex-M0 a taken branch takes one more.
 */
/* clang-format off */
#ifndef MCUGEN_SPARSE_M0_H
#define MCUGEN_SPARSE_M0_H
#ifdef __ASSEMBLER__

#include "mcugen.h"

/* The frame, in bytes from sp. */
        .equ    MULT, 0         /* the first five are loaded at once */
        .equ    ADD, 4
        .equ    HI, 8
        .equ    SHIFT, 12
        .equ    OUT, 16         /* where the next strip is written */
        .equ    OUT_END, 20     /* where the run ends */
        .equ    FIRST, 24       /* the program's first offset, in bytes */
        .equ    PROGRAM, 28     /* r5 before its first token */
        .equ    BASE, 32        /* r6 and r5, while they hold something else */
        .equ    AT, 36
        .equ    RUN, 40         /* the next run */
        .equ    RUNS_END, 44
        .equ    X, 48
        .equ    Y, 52           /* the channel's plane */
        .equ    PLANE, 56       /* bytes */
        .equ    TAIL, 60        /* the next channel's tail */
        .equ    TAILS_END, 64
        .equ    RUNS, 68
        .equ    TABLE, 72       /* address of the function for strips of n words, less 4 * n */
        .equ    LO, 76
        .equ    SEAL, 80        /* arguments of mcugen1_lanes_seal */
        .equ    WIDE, 88        /* 32-bit sums of the strip's pixels */
        .equ    TOTAL, 88       /* of chunks: two words for each word of the strip */
        .equ    DECODER, 156    /* struct mcugen_sparse_decoder: tail, weights, tails, bits, spare, rest */
        .equ    KERNEL, 184
        .equ    SCRATCH, 188
        .equ    TO_DECODE, 192  /* channels */
        .equ    X_PLANE, 196    /* bytes of a channel of x, for programs of bytes; else 0 */
        .equ    BACK, 196       /* in chunks_total.S: where to go on */
        .equ    WORDS, 200      /* 0: tails have 3 halfwords; else 2 words */
        .equ    FRAME, 204      /* with 9 registers a multiple of 8 */

/* \op for the sums of every word of a strip. */
        .macro  EACH words, op
        \op     r8, r9
        .if     \words > 1
        \op     r10, r11
        .endif
        .if     \words > 2
        \op     r12, lr
        .endif
        .if     \words > 3
        \op     r4, r7
        .endif
        .endm

/* 3 cycles. */
        .macro  WORD_SET e, o, x
        mov     \e, \x
        rev16   \x, \x
        mov     \o, \x
        .endm

        .macro  WORD_ADD e, o, x
        add     \e, \x
        rev16   \x, \x
        add     \o, \x
        .endm

/* An entry: the pixels at r3 into the sums by \op, and r3 = address of the pixels of the next entry, whose offset is at
 * r5 + \at, or, in bytes, r5 + \at / 2: a channel of x. Strips of 4 words: 5 + 12 + 4 = 21 cycles for 16 pixels; of 3, 2
 * and 1 words: 17, 13 and 8. With a step of 2 each word but the first takes a cycle more; strips of 4 words, which have no
 * register for the plane, 2 more by bytes.
 */
        .macro  ENTRY words, step, size, op, at
        .if     \words == 1
        ldr     r0, [r6, r3]
        .elseif \step == 2
        ldr     r0, [r3]
        ldr     r1, [r3, #8]
        .if     \words > 2
        ldr     r2, [r3, #16]
        .endif
        .if     \words > 3
        ldr     r3, [r3, #24]
        .endif
        .elseif \words == 4
        ldm     r3, {r0, r1, r2, r3}
        .elseif \words == 3
        ldm     r3!, {r0, r1, r2}
        .else
        ldm     r3!, {r0, r1}
        .endif
        .if     \words > 3
        \op     r4, r7, r3
        .endif
        .if     \size == 2
        ldrh    r3, [r5, #\at]
        lsls    r3, r3, #2
        .else
        ldrb    r3, [r5, #\at / 2]
        .if     \words < 4
        muls    r3, r4, r3
        .endif
        .endif
        \op     r8, r9, r0
        .if     \size == 1 && \words > 3
        ldr     r0, [sp, #X_PLANE]
        muls    r3, r0, r3
        .endif
        .if     \words > 1
        adds    r3, r3, r6
        .endif
        .if     \words > 1
        \op     r10, r11, r1
        .endif
        .if     \words > 2
        \op     r12, lr, r2
        .endif
        .endm

/* The next token, by the table at label 8: 11 cycles. r5 goes on to the list that the token begins. */
        .macro  DISPATCH size
        .if     \size == 2
        ldrh    r0, [r5, #32]
        adr     r1, 8f
        lsls    r0, r0, #1
        adds    r5, r5, r0
        .else
        ldrb    r0, [r5, #16]
        adr     r1, 8f
        adds    r5, r5, r0
        lsls    r0, r0, #1
        .endif
        adds    r5, r5, #\size
        ldrsh   r0, [r1, r0]
        subs    r1, r1, r0
        mov     pc, r1
        .endm

/* The table at label 8 for lists of 1 to 16 entries, which begin at labels 101 to 116. */
        .macro  ENTRY_TABLE
        .hword  8b - 101b, 8b - 102b, 8b - 103b, 8b - 104b, 8b - 105b, 8b - 106b, 8b - 107b, 8b - 108b
        .hword  8b - 109b, 8b - 110b, 8b - 111b, 8b - 112b, 8b - 113b, 8b - 114b, 8b - 115b, 8b - 116b
        .endm

/* sums = c - sums, by r0 = c * 0x01010101 modulo 2^32, c sign extended: 3 cycles for a register. */
        .macro  REGISTER_NEGATE v
        mov     r1, \v
        subs    r1, r0, r1
        mov     \v, r1
        .endm

        .macro  WORD_NEGATE e, o
        .ifc    \e, r4
        subs    \e, r0, \e
        subs    \o, r0, \o
        .else
        REGISTER_NEGATE \e
        REGISTER_NEGATE \o
        .endif
        .endm

        .macro  WORD_CLEAR e, o
        mov     \e, r0
        mov     \o, r0
        .endm

/* An end begins: r0, r1, r3, r5, r6 = mult, add, hi, shift, where the strip's pixels go, and zeros there for PIXEL. */
        .macro  BEGIN_PIXELS words
        mov     r0, sp
        ldm     r0, {r0, r1, r3, r5, r6}
        movs    r2, #0
        .irp    word, 0, 1, 2, 3, 4, 5
        .if     \words > \word
        str     r2, [r6, #4 * \word]
        .endif
        .endr
        .endm

/* A sum to a pixel, 8 cycles or, if it is below 0, 4: zeros have been written. r0, r1, r3, r5 = mult, add, hi, shift. */
        .macro  PIXEL word, lane, v
        muls    \v, r0, \v
        adds    \v, \v, r1
        bmi     .Lnext\word\lane
        asrs    \v, \v, r5
        cmp     \v, r3
        bhi     .Labove\word\lane
.Lstore\word\lane:
        strb    \v, [r6, #4 * \word + \lane]
.Lnext\word\lane:
        .endm

        .macro  ABOVE word, lane, v
.Labove\word\lane:
        mov     \v, r3
        b       .Lstore\word\lane
        .endm

        .macro  WORD_ABOVE words, word
        .if     \words > \word
        ABOVE   \word, 0, r7
        ABOVE   \word, 2, r4
        ABOVE   \word, 1, r7
        ABOVE   \word, 3, r2
        .endif
        .endm

/* The lower half l and the upper half h of \v = l + 2^16 (h - l): 4 cycles. ASRS leaves l's sign in the carry, which is
 * what l takes from the upper half; \v = h, \l = l.
 */
        .macro  HALVES v, l
        sxth    \l, \v
        asrs    \v, \v, #16
        adcs    \v, \v, \l
        sxth    \v, \v
        .endm

/* The sums of a word, which are in r4 and r7: r7, r4 = a, c, and r2 is left for the HALVES that give b, d in r7, r2. */
        .macro  WORD_HALVES
        lsls    r2, r4, #8
        subs    r2, r7, r2
        lsls    r7, r7, #8
        subs    r4, r4, r7
        HALVES  r4, r7
        .endm

/* The pixels of a word, whose sums are in r4 and r7, to r6 + 4 * \word: 12 cycles and those of PIXEL. */
        .macro  WORD_END word
        WORD_HALVES
        PIXEL   \word, 0, r7
        PIXEL   \word, 2, r4
        HALVES  r2, r7
        PIXEL   \word, 1, r7
        PIXEL   \word, 3, r2
        .endm

/* r5, as programs of halfwords have it, and r6 for the next strip, away. */
        .macro  SAVE words, step, size
        adds    r6, r6, #4 * \words * \step
        .if     \size == 1
        subs    r5, r5, #16
        .endif
        .if     \words > 2
        str     r5, [sp, #AT]
        str     r6, [sp, #BASE]
        .else
        mov     r12, r5
        mov     lr, r6
        .endif
        .endm

/* A function that runs a program for each strip of a run and goes on to mcugen1_sparse_next, with r5 in AT. */
        .macro  STRIPS name, words, step, size=2
        .weak   mcugen1_sparse_split, mcugen1_sparse_split_add, mcugen1_sparse_split_end, mcugen1_sparse_long
        FUNCTION \name
7:      ldr     r5, [sp, #PROGRAM]
        ldr     r3, [sp, #FIRST]
        .if     \words > 1
        adds    r3, r3, r6
        .endif
        .if     \size == 1 && \words < 4
        ldr     r4, [sp, #X_PLANE]
        .endif
        ENTRY   \words, \step, \size, WORD_SET, 30
        DISPATCH \size

        .irp    n, 116, 115, 114, 113, 112, 111, 110, 109, 108, 107, 106, 105, 104, 103, 102, 101
\n:     ENTRY   \words, \step, \size, WORD_ADD, 2 * (116 - \n)
        .endr
        DISPATCH \size

17:                                     /* sums = c - sums; c is behind the token, at r5 - 2 */
        .if     \size == 2
        subs    r5, r5, #32
        ldrh    r0, [r5, #30]
        .else
        subs    r5, r5, #15
        ldrb    r0, [r5, #14]
        ldrb    r1, [r5, #15]
        lsls    r1, r1, #8
        orrs    r0, r0, r1
        .endif
        sxth    r0, r0
        lsls    r1, r0, #8
        adds    r0, r0, r1
        lsls    r1, r0, #16
        adds    r0, r0, r1
        EACH    \words, WORD_NEGATE
        DISPATCH \size

        .if     \size == 2
20:     ldr     r0, 40f                 /* 32-bit sums: sparse_split_m0.S */
        b       24f
21:     ldr     r0, 41f
24:     adr     r1, 18f
        mov     pc, r0
26:     ldr     r0, 43f
        subs    r5, r5, #48
        b       27f
22:     ldr     r0, 42f
        subs    r5, r5, #44
27:     SAVE    \words, \step, \size
        adr     r1, 23f
        movs    r2, #\words
        mov     pc, r0

        .p2align 2
40:     .word   mcugen1_sparse_split
41:     .word   mcugen1_sparse_split_add
42:     .word   mcugen1_sparse_split_end
43:     .word   mcugen1_sparse_long
23:     ldr     r6, [sp, #OUT]
        b       31f
        .endif

        .p2align 2
18:                                     /* sums = 0 */
        subs    r5, r5, #18 * \size
        movs    r0, #0
        EACH    \words, WORD_CLEAR
        DISPATCH \size

        .p2align 2
8:      .hword  8b - 30f
        ENTRY_TABLE
        .if     \size == 2
        .hword  8b - 17b, 8b - 18b, 8b - 19f, 8b - 20b, 8b - 21b, 8b - 22b, 8b - 25f, 8b - 26b
        .else
        .hword  8b - 17b, 8b - 18b, 8b - 19f, 0, 0, 0, 8b - 25f, 0
        .endif
        .hword  8b - 28f, 8b - 29f

        WORD_ABOVE \words, 0            /* within the reach of a conditional branch */
        WORD_ABOVE \words, 3

29:     subs    r5, r5, #\size          /* token 26, and by the next three */
28:     subs    r5, r5, #2 * \size      /* token 25 */
25:     subs    r5, r5, #4 * \size      /* token 23, and by 19 */
19:                                     /* the end */
        subs    r5, r5, #19 * \size
30:     SAVE    \words, \step, \size
        BEGIN_PIXELS \words
        .if     \words > 3
        WORD_END 3
        .endif
        mov     r4, r8
        mov     r7, r9
        WORD_END 0
        .if     \words > 1
        mov     r4, r10
        mov     r7, r11
        WORD_END 1
        .endif
        .if     \words > 2
        mov     r4, r12
        mov     r7, lr
        WORD_END 2
        .endif
31:     adds    r6, r6, #4 * \words
        str     r6, [sp, #OUT]
        ldr     r0, [sp, #OUT_END]
        cmp     r6, r0
        .if     \words > 2
        ldr     r6, [sp, #BASE]
        .else
        mov     r6, lr
        .endif
        beq     9f
        b       7b
9:
        .if     \words <= 2
        mov     r0, r12
        str     r0, [sp, #AT]
        .endif
        bl      mcugen1_sparse_next

        WORD_ABOVE \words, 1
        WORD_ABOVE \words, 2
        .size   \name, . - \name
        .endm

/* The sums of a word, which are in r4 and r7, added to its 32-bit sums: 36 cycles. */
        .macro  WORD_SPLIT word
        WORD_HALVES
        SUM_SPLIT \word, 0, r7
        SUM_SPLIT \word, 2, r4
        HALVES  r2, r7
        SUM_SPLIT \word, 1, r7
        SUM_SPLIT \word, 3, r2
        .endm

        .macro  SUM_SPLIT word, lane, v
        ldr     r0, [sp, #WIDE + 16 * \word + 4 * \lane]
        adds    r0, r0, \v
        str     r0, [sp, #WIDE + 16 * \word + 4 * \lane]
        .endm

/* r0, r1, r3, r5 = mult, add, hi, shift, r4 = 32-bit sums, r6 = where their pixels go, up to r8; from r3 = where to go
 * on, then in r9, and r6 = bytes.
 */
        .macro  WIDE_PIXELS
        mov     r9, r3
        mov     r4, r6
        mov     r0, sp
        ldm     r0, {r0, r1, r3, r5, r6}
        adds    r4, r4, r6
        mov     r8, r4
        add     r4, sp, #WIDE
        .endm

        .macro  WIDE_STORE
        asrs    r2, r2, r5
        bpl     4f
        movs    r2, #0
4:      cmp     r2, r3
        bls     5f
        mov     r2, r3
5:      strb    r2, [r6]
        adds    r6, r6, #1
        cmp     r6, r8
        .endm

/* For channels whose sums need more than 16 bits, tokens of strips of any width:
 *
 *     20        32-bit sums = sums as signed numbers; then sums = 0
 *     21        32-bit sums += sums as signed numbers; then sums = 0
 *     22        end: the sum is 32-bit sum + sum
 *     24        the same in 64 bits
 *
 * r1 = where to go on, r2 = words (22, 24). A strip of fewer than 4 words has none of its sums in the registers of the
 * others, and nobody reads what is made of them.
 */
        .macro  SPLIT
        FUNCTION mcugen1_sparse_split           /* 20 */
        movs    r0, #0
        .irp    at, 0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60
        str     r0, [sp, #WIDE + \at]
        .endr
        adds    r5, r5, #2

        HEAD    mcugen1_sparse_split_add        /* 21; token 18 is next, and takes its share of r5 */
        subs    r5, r5, #6
1:      WORD_SPLIT 3
        mov     r4, r8
        mov     r7, r9
        WORD_SPLIT 0
        mov     r4, r10
        mov     r7, r11
        WORD_SPLIT 1
        mov     r4, r12
        mov     r7, lr
        WORD_SPLIT 2
        mov     pc, r1

        HEAD    mcugen1_sparse_split_end        /* 22; r5 and r6 are free */
        mov     r3, r1
        lsls    r6, r2, #2
        adr     r1, 2f
        b       1b

        .p2align 2
2:      WIDE_PIXELS
3:      ldm     r4!, {r2}               /* a pixel, 16 cycles */
        muls    r2, r0, r2
        adds    r2, r2, r1
        WIDE_STORE
        bne     3b
        mov     pc, r9

/* 24, by bytes: with sum = 2^8 h + l, (sum * mult + add) >> 8 = h * mult + ((l * mult + add) >> 8). The second product
 * and add have 32 bits, which mcugen/kernels/strips.py sees to, and so has the result.
 */
        HEAD    mcugen1_sparse_long             /* r5 and r6 are free */
        mov     r3, r1
        lsls    r6, r2, #2
        adr     r1, 2f
        b       1b

        .p2align 2
2:      WIDE_PIXELS
        subs    r5, r5, #8
3:      ldm     r4!, {r2}               /* a pixel, 21 cycles */
        asrs    r7, r2, #8
        uxtb    r2, r2
        muls    r2, r0, r2
        adds    r2, r2, r1
        asrs    r2, r2, #8
        muls    r7, r0, r7
        adds    r2, r2, r7
        WIDE_STORE
        bne     3b
        mov     pc, r9
        .size   mcugen1_sparse_split, . - mcugen1_sparse_split
        .endm

/* The addresses of strips of 1 word to \most. */
        .macro  STRIP_ADDRESSES kernel, kind, most
        .weak   mcugen1_\kernel\()1\kind, mcugen1_\kernel\()2\kind, mcugen1_\kernel\()3\kind, mcugen1_\kernel\()4\kind
        .word   mcugen1_\kernel\()1\kind, mcugen1_\kernel\()2\kind, mcugen1_\kernel\()3\kind, mcugen1_\kernel\()4\kind
        .if     \most > 4
        .weak   mcugen1_\kernel\()5\kind, mcugen1_\kernel\()6\kind
        .word   mcugen1_\kernel\()5\kind, mcugen1_\kernel\()6\kind
        .endif
        .endm

/* void \name(const struct mcugen_\kernel *k, const void *x, void *y, void *scratch): channels, and runs of strips; for
 * `chunks` (chunks_m0.h), whose struct has its members in the same places.
 *
 * Only the strips that a model uses are linked, by MCUGEN_PART: the others are undefined and weak, and never called.
 * mcugen1_sparse_shift, which other cores have a part for, is in each strip here.
 */
        .macro  LAYER name, kernel=sparse
        FUNCTION \name
        .ifc    \kernel, sparse
        HEAD    mcugen1_sparse_shift
        .endif
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        mov     r7, r11
        push    {r4-r7}
        sub     sp, sp, #FRAME
        str     r1, [sp, #X]
        str     r2, [sp, #Y]
        str     r0, [sp, #KERNEL]
        str     r3, [sp, #SCRATCH]
        ldrh    r4, [r0, #16]           /* out.channels */
        ldr     r5, [r0, #40]           /* decode */
        cmp     r5, #0
        beq     6f
        movs    r5, r4                  /* all channels are decoded */
        movs    r4, #0                  /* and none has its program in flash */
6:      str     r5, [sp, #TO_DECODE]
        ldr     r3, [r0, #4]            /* tails */
        orrs    r5, r5, r3
        str     r5, [sp, #WORDS]
        lsls    r6, r4, #3
        cmp     r3, #0
        bne     13f
        ldr     r3, [r0, #36]           /* packing */
        adds    r6, r4, r4
        adds    r6, r6, r4
        adds    r6, r6, r6
13:     str     r3, [sp, #TAIL]
        adds    r3, r3, r6
        str     r3, [sp, #TAILS_END]
        ldr     r3, [r0, #8]            /* runs */
        ldrh    r4, [r0, #12]           /* run_count */
        str     r3, [sp, #RUNS]
        lsls    r4, r4, #3
        adds    r3, r3, r4
        str     r3, [sp, #RUNS_END]
        ldrb    r3, [r0, #14]           /* lo */
        str     r3, [sp, #LO]
        ldrb    r3, [r0, #15]           /* hi */
        str     r3, [sp, #HI]
        ldr     r3, [r0, #28]           /* out.plane */
        lsls    r3, r3, #2
        str     r3, [sp, #PLANE]
        ldr     r5, [r0]                /* weights */
        .ifc    \kernel, sparse
        ldrh    r1, [r0, #34]           /* x_plane */
        lsls    r1, r1, #2
        str     r1, [sp, #X_PLANE]
        .endif
        adds    r0, r0, #16             /* out */
        str     r0, [sp, #SEAL]
        str     r2, [sp, #SEAL + 4]
        ldrb    r3, [r0, #16]           /* step */
        adr     r4, 8f
        .ifc    \kernel, sparse
        subs    r4, r4, #20             /* 4 for strips of 1 word, 16 for a step of 1 */
        lsls    r3, r3, #4
        adds    r4, r4, r3
        cmp     r1, #0
        beq     10f
        adds    r4, r4, #32             /* programs of bytes */
        .else
        subs    r4, r4, #28             /* 4 for strips of 1 word, 24 for a step of 1 */
        lsls    r1, r3, #3
        lsls    r3, r3, #4
        adds    r4, r4, r1
        adds    r4, r4, r3
        .endif
10:     str     r4, [sp, #TABLE]
        ldr     r0, [sp, #TO_DECODE]
        cmp     r0, #0
        beq     1f

        str     r5, [sp, #DECODER + 8]  /* nothing is decoded yet */
        ldr     r1, [sp, #KERNEL]
        ldr     r1, [r1, #36]
        adds    r1, r1, #22             /* the first tail */
        str     r1, [sp, #DECODER + 12]
        movs    r1, #0
        str     r1, [sp, #DECODER + 16]
        str     r1, [sp, #DECODER + 24]
        subs    r1, r1, #16
        str     r1, [sp, #DECODER + 20]
4:                                      /* decodes a channel, the first of r0; its tail is the only one */
        subs    r0, r0, #1
        str     r0, [sp, #TO_DECODE]
        ldr     r0, [sp, #KERNEL]
        add     r1, sp, #DECODER
        ldr     r2, [sp, #SCRATCH]
        ldr     r3, [r0, #40]
        blx     r3
        movs    r5, r0
        add     r0, sp, #DECODER
        str     r0, [sp, #TAIL]
        adds    r0, r0, #8
        str     r0, [sp, #TAILS_END]

1:                                      /* a channel: r5 = its program */
        .ifc    \kernel, sparse
        ldr     r1, [sp, #X_PLANE]
        cmp     r1, #0
        beq     11f
        ldrb    r0, [r5]
        muls    r0, r1, r0
        subs    r5, r5, #14
        b       12f
11:     ldrh    r0, [r5]
        subs    r5, r5, #28
        lsls    r0, r0, #2
        .else
        ldrh    r0, [r5]
        subs    r5, r5, #30
        .endif
12:     str     r0, [sp, #FIRST]
        str     r5, [sp, #PROGRAM]
        ldr     r0, [sp, #TAIL]
        ldr     r1, [sp, #WORDS]
        cmp     r1, #0
        bne     14f
        ldrh    r2, [r0, #2]
        ldrh    r3, [r0, #4]
        lsls    r3, r3, #16
        orrs    r2, r2, r3
        movs    r3, #31
        ands    r3, r3, r2
        asrs    r2, r2, #5
        movs    r1, r3
        subs    r1, r1, #16
        bls     15f
        lsls    r2, r2, r1
15:     ldrh    r1, [r0]
        adds    r0, r0, #6
        b       16f
14:     ldm     r0!, {r1, r2}           /* mult | shift << 16, add */
        asrs    r3, r1, #16
16:     str     r0, [sp, #TAIL]
        sxth    r1, r1
        str     r1, [sp, #MULT]
        str     r2, [sp, #ADD]
        str     r3, [sp, #SHIFT]
        ldr     r0, [sp, #RUNS]
2:                                      /* a run, at r0 */
        ldrh    r1, [r0]                /* first word of x */
        ldrh    r2, [r0, #2]            /* first word of y */
        ldrh    r3, [r0, #4]            /* words of y */
        ldrh    r4, [r0, #6]            /* words of a strip */
        adds    r0, r0, #8
        str     r0, [sp, #RUN]
        ldr     r6, [sp, #X]
        lsls    r1, r1, #2
        adds    r6, r6, r1
        ldr     r0, [sp, #Y]
        lsls    r2, r2, #2
        adds    r0, r0, r2
        str     r0, [sp, #OUT]
        lsls    r3, r3, #2
        adds    r0, r0, r3
        str     r0, [sp, #OUT_END]
        ldr     r0, [sp, #TABLE]
        lsls    r4, r4, #2
        ldr     r0, [r0, r4]
        bx      r0

        .p2align 2
8:
        .ifc    \kernel, sparse
        STRIP_ADDRESSES sparse, , 4
        STRIP_ADDRESSES sparse, x2, 4
        STRIP_ADDRESSES sparse, b, 4
        .else
        STRIP_ADDRESSES chunks, , 6
        STRIP_ADDRESSES chunks, x2, 6
        .endif

/* Where strips go on after a run. */
        HEAD    mcugen1_\kernel\()_next
        ldr     r0, [sp, #RUN]
        ldr     r1, [sp, #RUNS_END]
        cmp     r0, r1
        bne     2b
        ldr     r0, [sp, #Y]
        ldr     r1, [sp, #PLANE]
        adds    r1, r0, r1
        str     r1, [sp, #Y]
        ldr     r2, [sp, #LO]
        cmp     r2, #0
        beq     5f
3:      ldrb    r3, [r0]                /* strips know no lo but 0: the plane's bytes below it, with all that is sealed */
        cmp     r3, r2
        bhs     9f
        strb    r2, [r0]
9:      adds    r0, r0, #1
        cmp     r0, r1
        bne     3b
5:      ldr     r5, [sp, #AT]
        .ifc    \kernel, sparse
        adds    r5, r5, #32             /* behind the program */
        .else
        adds    r5, r5, #34
        .endif
        ldr     r0, [sp, #TAIL]
        ldr     r1, [sp, #TAILS_END]
        cmp     r0, r1
        bne     1b
        ldr     r0, [sp, #TO_DECODE]
        cmp     r0, #0
        bne     4b
        ldr     r0, [sp, #SEAL]
        ldr     r1, [sp, #SEAL + 4]
        add     sp, sp, #FRAME
        pop     {r4-r7}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
        pop     {r4-r7}
        ldr     r2, 7f
        pop     {r3}
        mov     lr, r3
        bx      r2
        .p2align 2
7:      .word   mcugen1_lanes_seal
        .size   \name, . - \name
        .endm

#endif
#endif
