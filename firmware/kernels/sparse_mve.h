/* sparse_mve.h - assembler macro: strips of 1 to 12 words with Helium, eight pixels in the 16-bit lanes of a register.
 *
 *     r0        struct mcugen_sparse_strips
 *     r1, r2    the strip in x, from where offsets count, and in y
 *     r3        address of the next entry's pixels
 *     r4        its offset; a token; then free
 *     r5        words behind the strip
 *     r6-r8     mult; add * 2^(16 - shift) and 16 - shift, for tokens 0, 23, 25 and 26
 *     r9, r10   the program's first token; its first offset, in bytes
 *     r12       the program: behind the token or the offset that was read last
 *     lr        table of tokens
 *     q0-q5     sums of words 0 and 1, 2 and 3, ..., modulo 2^16: the sum that remains is proven to fit
 *     q6, q7    pixels; free between entries
 *
 * Where the number of words is odd, the last register holds the last two words, so that one word is summed twice.
 */
/* clang-format off */
#ifndef MCUGEN_SPARSE_MVE_H
#define MCUGEN_SPARSE_MVE_H
#ifdef __ASSEMBLER__

#include "mcugen.h"

/* struct mcugen_sparse_strips (sparse_mve.c) */
        .equ    PROGRAM, 0
        .equ    MULT, 4
        .equ    ADD, 8
        .equ    MINUS_SHIFT, 12
        .equ    NEAR, 16
        .equ    NEAR_SHIFT, 20
        .equ    LO, 24
        .equ    HI, 28
        .equ    WIDE, 32        /* 32-bit sums: 32 bytes for each of 6 registers, even pixels first */

/* Behind the tokens in the table of a strip: where shared code goes on. The table is at lr. */
        .equ    NEXT, 4 * 27    /* to the next token */
        .equ    CLAMP, 4 * 28   /* to the pixels' clamp and the end */

/* \op for each register of sums, from the last. */
        .macro  EACH words, op
        .if     \words > 10
        \op     q5, 5
        .endif
        .if     \words > 8
        \op     q4, 4
        .endif
        .if     \words > 6
        \op     q3, 3
        .endif
        .if     \words > 4
        \op     q2, 2
        .endif
        .if     \words > 2
        \op     q1, 1
        .endif
        \op     q0, 0
        .endm

/* at = bytes from a strip to the two words of register \i. */
        .macro  AT words, i, step
        .set    at, 8 * \i * \step
        .if     \words > 1 && 2 * \i + 2 > \words
        .set    at, 4 * (\words - 2) * \step
        .endif
        .endm

/* Eight pixels: of neighbouring words one load. Of words that lie apart, or of one word twice, the bytes that q6 names. */
        .macro  PIXELS to, words, step, i
        AT      \words, \i, \step
        .if     \step == 1 && \words > 1
        vldrb.u16 \to, [r3, #at]
        .elseif \i == 0
        vldrb.u16 \to, [r3, q6]
        .else
        add     r11, r3, #at
        vldrb.u16 \to, [r11, q6]
        .endif
        .endm

/* An entry: two instructions for eight pixels, and two for the next entry's address. Loads and sums take turns. */
        .macro  ENTRY words, step
        .if     \step > 1 || \words == 1
        PIXELS  q7, \words, \step, 0
        ldrh    r4, [r12], #2
        vadd.i16 q0, q0, q7
        .set    i, 1
        .irp    sum, q1, q2, q3, q4, q5
        .if     2 * i < \words
        PIXELS  q7, \words, \step, i
        vadd.i16 \sum, \sum, q7
        .endif
        .set    i, i + 1
        .endr
        add     r3, r1, r4, lsl #2
        .else
        PIXELS  q6, \words, \step, 0
        ldrh    r4, [r12], #2
        .if     \words > 2
        PIXELS  q7, \words, \step, 1
        .endif
        vadd.i16 q0, q0, q6
        .if     \words > 4
        PIXELS  q6, \words, \step, 2
        .endif
        .if     \words > 2
        vadd.i16 q1, q1, q7
        .endif
        .if     \words > 6
        PIXELS  q7, \words, \step, 3
        .endif
        .if     \words > 4
        vadd.i16 q2, q2, q6
        .endif
        .if     \words > 8
        PIXELS  q6, \words, \step, 4
        .endif
        .if     \words > 6
        vadd.i16 q3, q3, q7
        .endif
        .if     \words > 10
        PIXELS  q7, \words, \step, 5
        .endif
        .if     \words > 8
        vadd.i16 q4, q4, q6
        .endif
        add     r3, r1, r4, lsl #2
        .if     \words > 10
        vadd.i16 q5, q5, q7
        .endif
        .endif
        .endm

/* The first entry sets the sums. */
        .macro  FIRST words, step
        PIXELS  q0, \words, \step, 0
        ldrh    r4, [r12, #-2]
        .set    i, 1
        .irp    sum, q1, q2, q3, q4, q5
        .if     2 * i < \words
        PIXELS  \sum, \words, \step, i
        .endif
        .set    i, i + 1
        .endr
        add     r3, r1, r4, lsl #2
        .endm

/* q6 = the bytes that a gathering load takes, where there is one. */
        .macro  NAMES words, step
        .if     \step > 1 || \words == 1
        adr.w   r4, 9f
        vldrw.u32 q6, [r4]
        .endif
        .endm

        .macro  DISPATCH
        ldrh    r4, [r12], #2
        ldr     pc, [lr, r4, lsl #2]
        .endm

        .macro  SHARED words, to
        movs    r4, #(\words + 1) / 2
        b       \to
        .endm

/* There: into code for 6 to 1 registers, at labels 6 to 1, each of which falls through into the next. */
        .macro  BY_REGISTERS
        tbh     [pc, r4, lsl #1]
7:      .short  0, (1f - 7b) / 2, (2f - 7b) / 2, (3f - 7b) / 2, (4f - 7b) / 2, (5f - 7b) / 2, (6f - 7b) / 2
        .endm

        .macro  REGISTERS op
6:      \op     q5, 5
5:      \op     q4, 4
4:      \op     q3, 3
3:      \op     q2, 2
2:      \op     q1, 1
1:      \op     q0, 0
        .endm

        .macro  CLEAR q, i
        vmov.i16 \q, #0
        .endm

        .macro  NEGATE q, i
        vsub.i16 \q, q7, \q
        .endm

/* Tokens 0, 23, 25 and 26, by q6 = mult in every lane: (sum * mult + add) * 2^(16 - shift) is in 32 bits, as is
 * proven, and has the result in its upper half, because add is a multiple of 2^(shift - 16).
 */
        .macro  SCALE q, i
        vmullb.s16 q7, \q, q6
        vmullt.s16 \q, \q, q6
        vshl.s32 q7, r8
        vshl.s32 \q, r8
        vadd.i32 q7, q7, r7
        vadd.i32 \q, \q, r7
        vshrnb.i32 \q, q7, #16
        .endm

/* 32-bit sums in q7 and \q to results of 16 bits, saturated: r6, r11 = mult, add; r3 = -shift. */
        .macro  SCALE_WIDE q
        vmul.i32 q7, q7, r6
        vmul.i32 \q, \q, r6
        vadd.i32 q7, q7, r11
        vadd.i32 \q, \q, r11
        vshl.s32 q7, r3
        vshl.s32 \q, r3
        JOIN    \q
        .endm

        .macro  JOIN q
        vqmovnb.s32 q7, q7
        vqmovnt.s32 q7, \q
        vmov    \q, q7
        .endm

        .macro  LIMIT q, i
        vmax.s16 \q, \q, q6
        vmin.s16 \q, \q, q7
        .endm

        .macro  NARROW q, i
        vqmovunb.s16 \q, \q
        .endm

/* const uint16_t *\name(const struct mcugen_sparse_strips *job, const uint8_t *x, uint8_t *y, uint32_t words): runs the
 * program for strips that cover so many words, \words at least; the last one may overlap the one before. Returns the
 * next program.
 *
 * Z is clear wherever a strip begins, and nothing but token 23 sets flags before the end: there Z tells it from token 0.
 */
        .macro  STRIPS name, words, step
        HOT     \name
        .thumb
        .p2align 2
8:      .word   30f + 1
        .word   101f + 1, 102f + 1, 103f + 1, 104f + 1, 105f + 1, 106f + 1, 107f + 1, 108f + 1
        .word   109f + 1, 110f + 1, 111f + 1, 112f + 1, 113f + 1, 114f + 1, 115f + 1, 116f + 1
        .word   17f + 1, 18f + 1, 19f + 1, 20f + 1, 21f + 1, 22f + 1, 23f + 1, 24f + 1
        .word   30f + 1, 30f + 1, 27f + 1, 26f + 1

        .weak   mcugen1_sparse_shift, mcugen1_sparse_split, mcugen1_sparse_split_add
        .weak   mcugen1_sparse_split_end, mcugen1_sparse_long
        HEAD    \name
        push    {r4-r11, lr}
        vpush   {d8-d15}
        adr.w   lr, 8b
        ldr     r9, [r0, #PROGRAM]
        subs    r5, r3, #\words
        ldr     r6, [r0, #MULT]
        ldrd    r7, r8, [r0, #NEAR]
        ldrh    r10, [r9], #4
        lsl     r10, r10, #2
        cmp     r9, #0                  /* Z is clear */
2:                                      /* a strip */
        NAMES   \words, \step
        mov     r12, r9
        add     r3, r1, r10
        FIRST   \words, \step
        DISPATCH

        .irp    n, 116, 115, 114, 113, 112, 111, 110, 109, 108, 107, 106, 105, 104, 103, 102, 101
\n:     ENTRY   \words, \step
        .endr
25:     DISPATCH

27:     NAMES   \words, \step
        DISPATCH

17:                                     /* sums = c - sums */
        ldrh    r4, [r12], #2
        vdup.16 q7, r4
        EACH    \words, NEGATE
        DISPATCH

18:                                     /* sums = 0 */
        EACH    \words, CLEAR
        DISPATCH

19:     SHARED  \words, mcugen1_sparse_shift
20:     SHARED  \words, mcugen1_sparse_split
21:     SHARED  \words, mcugen1_sparse_split_add
22:     SHARED  \words, mcugen1_sparse_split_end
24:     SHARED  \words, mcugen1_sparse_long

23:                                     /* the end of most channels with a clamp to other limits */
        cmp     r4, r4
30:                                     /* the end of most channels */
        vdup.16 q6, r6
        EACH    \words, SCALE
        beq     26f
31:     EACH    \words, NARROW
        .if     \words == 1
        vmov.u16 r3, q0[0]
        strb    r3, [r2]
        vmov.u16 r3, q0[1]
        strb    r3, [r2, #1]
        vmov.u16 r3, q0[2]
        strb    r3, [r2, #2]
        vmov.u16 r3, q0[3]
        strb    r3, [r2, #3]
        .else
        .set    i, 0
        .irp    sum, q0, q1, q2, q3, q4, q5
        .if     2 * i < \words
        AT      \words, i, 1
        vstrb.16 \sum, [r2, #at]
        .endif
        .set    i, i + 1
        .endr
        .endif
        movs    r3, #\words
        cmp     r5, r3
        csel    r3, r5, r3, lo
        sub     r5, r5, r3
        add     r2, r2, r3, lsl #2
        .if     \step > 1
        add     r1, r1, r3, lsl #3
        .else
        add     r1, r1, r3, lsl #2
        .endif
        cmp     r3, #0
        bne.w   2b
        mov     r0, r12
        vpop    {d8-d15}
        pop     {r4-r11, pc}

26:     ldrd    r3, r4, [r0, #LO]
        vdup.16 q6, r3
        vdup.16 q7, r4
        EACH    \words, LIMIT
        b       31b

        .if     \step > 1 || \words == 1
        .p2align 2
9:
        .if     \words > 1
        .short  0, 1, 2, 3, 4 * \step, 4 * \step + 1, 4 * \step + 2, 4 * \step + 3
        .else
        .short  0, 1, 2, 3, 0, 1, 2, 3
        .endif
        .endif
        .size   \name, . - \name
        .endm

#endif
#endif
