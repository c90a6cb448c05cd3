/* chunks_m0.h - assembler macros: strips of 1 to 6 words of chunks, for Armv6-M; a layer is that of sparse_m0.h.
 *
 *     r0-r5     words loaded; r0-r4 free between entries
 *     r5        between entries the byte address of the next one's pixels (strips of 1 word: what it is beyond r6)
 *     r6        byte address from which offsets count, also in BASE
 *     r7        program: r7 + 2 + 2 * i is the offset that entry i of the 16 loads, r7 + 34 the token behind the list
 *     r8-r12, lr  sums of words 0 to 5, four bytes each
 *
 * Sums of a chunk are bytes: with pixels of 0 .. h and up to 255 / h entries no addition carries from a byte to the
 * next, and neither does c - sums borrow, because c is h times the entries (mcugen/kernels/chunks.py). A lane with a garbage
 * row, of whatever bytes, does harm only to lanes above it, which have garbage there too.
 *
 * Totals of a word x are two words in the frame, modulo 2^32,
 *
 *     u = sum of x = sum a + 2^8 sum b + 2^16 sum c + 2^24 sum d       o = sum of (x >> 8) & 0x00ff00ff = sum b + 2^16 sum d
 *
 * of its bytes a, b, c, d, lowest first, so that u - 2^8 o = sum a + 2^16 sum c.
 *
 * Cycles are those of the Cortex-M0+; on the Cortex-M0 a taken branch takes one more.
 */
/* clang-format off */
#ifndef MCUGEN_CHUNKS_M0_H
#define MCUGEN_CHUNKS_M0_H
#if defined(__ASSEMBLER__) && (defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__))

#include "sparse_m0.h"

#define MCUGEN_CHUNKS_STRIPS

/* \op for the sums of every word of a strip, and the register that has it loaded. */
        .macro  EACH_SUM words, op
        \op     r8, r0
        .if     \words > 1
        \op     r9, r1
        .endif
        .if     \words > 2
        \op     r10, r2
        .endif
        .if     \words > 3
        \op     r11, r3
        .endif
        .if     \words > 4
        \op     r12, r4
        .endif
        .if     \words > 5
        \op     lr, r5
        .endif
        .endm

/* An entry: the pixels at r5 into the sums by \op, MOV or ADD, and r5 = address of the pixels of the next entry, whose
 * offset is at r7 + \at. Strips of 6 words: 7 + 6 + 3 = 16 cycles for 24 pixels; of 5 ... 1 words: 14, 12, 10, 8 and 5. With
 * a step of 2 each word but the first takes a cycle more.
 */
        .macro  CHUNK_ENTRY words, step, op, at
        .if     \words == 1
        ldr     r0, [r6, r5]
        .elseif \step == 2
        ldr     r0, [r5]
        ldr     r1, [r5, #8]
        .if     \words > 2
        ldr     r2, [r5, #16]
        .endif
        .if     \words > 3
        ldr     r3, [r5, #24]
        .endif
        .if     \words > 4
        ldr     r4, [r5, #32]
        .endif
        .if     \words > 5
        ldr     r5, [r5, #40]
        .endif
        .elseif \words == 6
        ldm     r5, {r0, r1, r2, r3, r4, r5}
        .elseif \words == 5
        ldm     r5!, {r0, r1, r2, r3, r4}
        .elseif \words == 4
        ldm     r5!, {r0, r1, r2, r3}
        .elseif \words == 3
        ldm     r5!, {r0, r1, r2}
        .else
        ldm     r5!, {r0, r1}
        .endif
        EACH_SUM \words, \op
        ldrh    r5, [r7, #\at]
        .if     \words > 1
        adds    r5, r5, r6
        .endif
        .endm

/* The next token, by the table at label 8: 9 cycles. r7 goes on to the list that the token begins. */
        .macro  CHUNK_DISPATCH
        ldrh    r0, [r7, #34]
        adr     r1, 8f
        adds    r7, r7, r0
        ldrsh   r0, [r1, r0]
        subs    r1, r1, r0
        mov     pc, r1
        .endm

/* u and o of two words, or one: 11 cycles for two. */
        .macro  SET_WORD sum, u, o
        mov     \u, \sum
        lsrs    \o, \u, #8
        ands    \o, \o, r5
        .endm

/* The same with a minus: 4 more. */
        .macro  NEG_WORD sum, u, o
        SET_WORD \sum, \u, \o
        rsbs    \u, \u, #0
        rsbs    \o, \o, #0
        .endm

        .macro  SET_WORDS op, a, b
        \op\()_WORD \a, r0, r1
        .ifb    \b
        stm     r6!, {r0, r1}
        .else
        \op\()_WORD \b, r2, r3
        stm     r6!, {r0, r1, r2, r3}
        .endif
        .endm

/* The same, added or taken away: 21 cycles for two. */
        .macro  ADD_WORD op, sum, u, o
        mov     r4, \sum
        \op     \u, \u, r4
        lsrs    r4, r4, #8
        ands    r4, r4, r5
        \op     \o, \o, r4
        .endm

        .macro  ADD_WORDS op, a, b
        .ifb    \b
        ldm     r6!, {r0, r1}
        ADD_WORD \op, \a, r0, r1
        subs    r6, r6, #8
        stm     r6!, {r0, r1}
        .else
        ldm     r6!, {r0, r1, r2, r3}
        ADD_WORD \op, \a, r0, r1
        ADD_WORD \op, \b, r2, r3
        subs    r6, r6, #16
        stm     r6!, {r0, r1, r2, r3}
        .endif
        .endm

        .macro  EACH_TOTAL words, op:vararg
        .if     \words == 1
        \op     r8
        .else
        \op     r8, r9
        .endif
        .if     \words == 3
        \op     r10
        .elseif \words > 3
        \op     r10, r11
        .endif
        .if     \words == 5
        \op     r12
        .elseif \words > 5
        \op     r12, lr
        .endif
        .endm

/* Before totals are changed: r5 = the mask of o, whose highest bit, where x >> 8 has none, is set if no 16 entries follow. */
        .macro  BEFORE_TOTAL mask
        str     r5, [sp, #AT]
        ldr     r5, \mask
        add     r6, sp, #TOTAL
        .endm

        .macro  SUM_NEGATE sum, x
        REGISTER_NEGATE \sum
        .endm

/* A function that runs a program for each strip of a run and goes on to mcugen1_chunks_next, with r7 in AT. */
        .macro  CHUNK_STRIPS name, words, step
        .weak   mcugen1_chunks_end\words, mcugen1_chunks_total\words
        FUNCTION \name
7:      str     r6, [sp, #BASE]
        ldr     r7, [sp, #PROGRAM]
        ldr     r5, [sp, #FIRST]
        .if     \words > 1
        adds    r5, r5, r6
        .endif
2:      CHUNK_ENTRY \words, \step, mov, 32
        CHUNK_DISPATCH

18:     subs    r7, r7, #34             /* totals = sums */
        BEFORE_TOTAL 41f
        b       3f
22:     subs    r7, r7, #10             /* the same, and 16 entries follow the next */
        BEFORE_TOTAL 40f
3:      EACH_TOTAL \words, SET_WORDS SET,
        b       6f

19:     subs    r7, r7, #36             /* totals = -sums */
        BEFORE_TOTAL 41f
        b       3f
23:     subs    r7, r7, #12
        BEFORE_TOTAL 40f
3:      EACH_TOTAL \words, SET_WORDS NEG,
        b       6f

21:     subs    r7, r7, #40             /* totals -= sums */
        BEFORE_TOTAL 41f
        b       4f
25:     subs    r7, r7, #16
        BEFORE_TOTAL 40f
4:      EACH_TOTAL \words, ADD_WORDS subs,
        b       6f

1:      b       2b

20:     subs    r7, r7, #38             /* totals += sums */
        BEFORE_TOTAL 41f
        b       5f
24:     subs    r7, r7, #14
        BEFORE_TOTAL 40f
5:      EACH_TOTAL \words, ADD_WORDS adds,
6:      cmp     r5, #0
        ldr     r6, [sp, #BASE]
        ldr     r5, [sp, #AT]
        bmi     1b

        CHUNK_ENTRY \words, \step, mov, 0
        .irp    n, 116, 115, 114, 113, 112, 111, 110, 109, 108, 107, 106, 105, 104, 103, 102, 101
\n:     CHUNK_ENTRY \words, \step, add, 2 * (117 - \n)
        .endr
        CHUNK_DISPATCH

17:     subs    r7, r7, #32             /* sums = c - sums; 257 * c is behind the token */
        ldrh    r0, [r7, #32]
        lsls    r1, r0, #16
        orrs    r0, r0, r1
        EACH_SUM \words, SUM_NEGATE
        CHUNK_DISPATCH

        .p2align 2
8:      .hword  0
        .hword  8b - 30f
        ENTRY_TABLE
        .hword  8b - 17b, 8b - 18b, 8b - 19b, 8b - 20b, 8b - 21b, 8b - 22b, 8b - 23b, 8b - 24b
        .hword  8b - 25b, 8b - 26f

26:     subs    r7, r7, #52             /* the end of several chunks */
        adr     r2, 31f
        str     r2, [sp, #BACK]
        ldr     r4, 43f
        b       27f
30:     ldr     r4, 42f                 /* the end of one */
27:     str     r7, [sp, #AT]
        BEGIN_PIXELS \words
        adr     r2, 31f
        mov     pc, r4

        .p2align 2
31:     adds    r6, r6, #4 * \words
        str     r6, [sp, #OUT]
        ldr     r0, [sp, #OUT_END]
        cmp     r6, r0
        ldr     r6, [sp, #BASE]
        beq     9f
        adds    r6, r6, #4 * \words * \step
        b       7b
9:      bl      mcugen1_chunks_next

        .p2align 2
40:     .word   0x00ff00ff
41:     .word   0x80ff00ff
42:     .word   mcugen1_chunks_end\words
43:     .word   mcugen1_chunks_total\words
        .size   \name, . - \name
        .endm

/* Ends, for strips of all widths: r0, r1, r3, r5 = mult, add, hi, shift, r6 = where the pixels go, where zeros have been
 * written, r2 = where to go on, with several chunks also BACK; r4 and r7 are free. Pixels by PIXEL of sparse_m0.h.
 */
        .macro  CHUNK_ABOVE word, third=r7, last=r7
        ABOVE   \word, 0, r7
        ABOVE   \word, 1, r7
        ABOVE   \word, 2, \third
        ABOVE   \word, 3, \last
        .endm

/* The pixels of a word of one chunk: 7 cycles and those of PIXEL. */
        .macro  CHUNK_END words, word, sum
        HEAD    mcugen1_chunks_end\words
        mov     r4, \sum
        uxtb    r7, r4
        PIXEL   \word, 0, r7
        lsrs    r7, r4, #8
        uxtb    r7, r7
        PIXEL   \word, 1, r7
        lsrs    r7, r4, #16
        uxtb    r7, r7
        PIXEL   \word, 2, r7
        lsrs    r7, r4, #24
        PIXEL   \word, 3, r7
        .endm

/* Of several: 19 cycles and those of PIXEL; r2 is free too. */
        .macro  TOTAL_END words, word, sum
        HEAD    mcugen1_chunks_total\words
        mov     r7, \sum
        lsrs    r2, r7, #8
        ldr     r4, 8f                  /* the mask */
        ands    r2, r2, r4
        ldr     r4, [sp, #TOTAL + 8 * \word + 4]
        adds    r4, r4, r2              /* o */
        ldr     r2, [sp, #TOTAL + 8 * \word]
        adds    r2, r2, r7
        lsls    r7, r4, #8
        subs    r2, r2, r7              /* u - 2^8 o */
        sxth    r7, r2
        subs    r2, r2, r7
        PIXEL   \word, 0, r7
        asrs    r2, r2, #16
        PIXEL   \word, 2, r2
        sxth    r7, r4
        subs    r4, r4, r7
        PIXEL   \word, 1, r7
        asrs    r4, r4, #16
        PIXEL   \word, 3, r4
        .endm

#endif
#endif
