/* sparse_dsp.h - assembler macros of sparse_dsp.S and sparse<words>[x2]_dsp.S: a strip on cores with the DSP extension.
 *
 *     r3        byte address of the next entry's pixels; within an entry the last word loaded, then its offset
 *     r0-r2     words loaded; free between entries
 *     r4-r11    sums of words 0, 1, 2, 3: of the even bytes (pixels 0 and 2 of a word), of the odd bytes (1 and 3)
 *     r12       program: behind the token that was read last (strips of 4), or behind its list (others)
 *     lr        byte address from which offsets count
 *
 * UXTAB16 and USUB16 keep the halves of a word apart: no sum carries into its neighbour, whatever garbage rows hold.
 * Half of a sum is modulo 2^16, and the sum that remains is proven to fit, so nothing is lost.
 */
/* clang-format off */
#ifndef MCUGEN_SPARSE_DSP_H
#define MCUGEN_SPARSE_DSP_H
#ifdef __ASSEMBLER__

        .syntax unified

/* The frame, in bytes from sp. */
        .equ    SCALE, 0        /* the channel's tail */
        .equ    OFFSET, 4
        .equ    OUT, 8          /* where the next strip is written */
        .equ    OUT_END, 12     /* where the run ends */
        .equ    FIRST, 16       /* the program's first offset, in bytes */
        .equ    PROGRAM, 20     /* its first token */
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
        .equ    TABLE, 80       /* address of the function for strips of n words, less 4 * n */
        .equ    FRAME, 84       /* with 9 registers a multiple of 8 */

/* op on both halves of the sums of one word: even \e, odd \o. */
        .macro  WORD_SET e, o, x
        uxtb16  \e, \x
        uxtb16  \o, \x, ror #8
        .endm

        .macro  WORD_ADD e, o, x
        uxtab16 \e, \e, \x
        uxtab16 \o, \o, \x, ror #8
        .endm

        .macro  WORD_NEGATE e, o
        usub16  \e, r0, \e
        usub16  \o, r0, \o
        .endm

        .macro  WORD_CLEAR e, o
        mov     \e, #0
        mov     \o, #0
        .endm

/* Token 0, 9 cycles: r0, r1 = the tail. (sum * r0 >> 16) + r1 has the result in its upper half. */
        .macro  WORD_SCALE e, o
        smlawb  r2, r0, \e, r1
        smlawt  r3, r0, \e, r1
        pkhtb   \e, r3, r2, asr #16
        smlawb  r2, r0, \o, r1
        smlawt  r3, r0, \o, r1
        pkhtb   \o, r3, r2, asr #16
        usat16  \e, #8, \e
        usat16  \o, #8, \o
        orr     \e, \e, \o, lsl #8
        .endm

/* Token 19, 12 + 3 cycles: r0, r1 = the tail, lr = its shift. */
        .macro  WORD_SHIFT e, o
        smlabb  r2, r0, \e, r1
        smlatb  r3, \e, r0, r1
        asr     r2, r2, lr
        asr     r3, r3, lr
        usat    r2, #8, r2
        usat    r3, #8, r3
        pkhbt   \e, r2, r3, lsl #16
        smlabb  r2, r0, \o, r1
        smlatb  r3, \o, r0, r1
        asr     r2, r2, lr
        asr     r3, r3, lr
        usat    r2, #8, r2
        usat    r3, #8, r3
        pkhbt   \o, r2, r3, lsl #16
        orr     \e, \e, \o, lsl #8
        .endm

        .macro  WORD_CLAMP e
        uqadd8  \e, \e, r0      /* at most hi, + 255 - hi */
        uqsub8  \e, \e, r1      /* at least lo, - lo */
        uadd8   \e, \e, r2
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

        .macro  EACH_EVEN words, op
        \op     r4
        .if     \words > 1
        \op     r6
        .endif
        .if     \words > 2
        \op     r8
        .endif
        .if     \words > 3
        \op     r10
        .endif
        .endm

/* An entry: the pixels at r3 into the sums by \op, and r3 = address of the pixels of the next entry. Its offset is at
 * r12 + \at, or in strips of 4 words, but for the first entry, at r12, which goes on.
 *
 * 16 cycles for 4 words: 5 + 8 + 2 + 1. With fewer there is a register for each word, so the loads follow one another
 * and each but the first takes one cycle: 12, 9 and 6. The address is never made right before it is used.
 */
        .macro  ENTRY words, step, op, at
        .if     \words == 4
        .if     \step == 1
        ldm     r3, {r0-r3}
        .else
        ldr     r0, [r3]
        ldr     r1, [r3, #4 * \step]
        ldr     r2, [r3, #8 * \step]
        ldr     r3, [r3, #12 * \step]
        .endif
        \op     r10, r11, r3
        .ifc    \op, WORD_SET
        ldrh    r3, [r12, #\at]
        .else
        ldrh    r3, [r12], #2
        .endif
        \op     r4, r5, r0
        add     r3, lr, r3, lsl #2
        \op     r6, r7, r1
        \op     r8, r9, r2
        .else
        ldr     r0, [r3]
        .if     \words > 1
        ldr     r1, [r3, #4 * \step]
        .endif
        .if     \words > 2
        ldr     r2, [r3, #8 * \step]
        .endif
        ldrh    r3, [r12, #\at]
        .if     \words > 1
        \op     r4, r5, r0
        .endif
        add     r3, lr, r3, lsl #2
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

/* The next token, by the table at label 8: 7 cycles, or 8 where r12 goes behind the list that the token begins. */
        .macro  DISPATCH words
        adr.w   r1, 8b
        ldrh    r0, [r12], #2
        .if     \words < 4
        add     r12, r12, r0, lsl #1
        .endif
        ldr     pc, [r1, r0, lsl #2]
        .endm

        .macro  STORE words
        ldrd    r0, r1, [sp, #OUT]
        .if     \words == 4
        stm     r0!, {r4, r6, r8, r10}
        .elseif \words == 3
        stm     r0!, {r4, r6, r8}
        .elseif \words == 2
        stm     r0!, {r4, r6}
        .else
        str     r4, [r0], #4
        .endif
        cmp     r0, r1
        str     r0, [sp, #OUT]
        bne     1b
        b       mcugen1_sparse_runs_dsp
        .endm

/* A function that runs a program for each strip of a run and goes on to mcugen1_sparse_next_dsp, r12 behind the program. */
        .macro  STRIPS name, words, step
        .section .text.\name, "ax", %progbits
        .thumb
        .p2align 2
8:      .word   20f + 1
        .word   101f + 1, 102f + 1, 103f + 1, 104f + 1, 105f + 1, 106f + 1, 107f + 1, 108f + 1
        .word   109f + 1, 110f + 1, 111f + 1, 112f + 1, 113f + 1, 114f + 1, 115f + 1, 116f + 1
        .word   17f + 1, 18f + 1, 19f + 1

        .weak   \name
        .thumb_func
        .type   \name, %function
\name:
        ldr     r3, [sp, #FIRST]
        add     r3, r3, lr
        ldr     r12, [sp, #PROGRAM]
        ENTRY   \words, \step, WORD_SET, -2
        DISPATCH \words

116:    ENTRY   \words, \step, WORD_ADD, -32
115:    ENTRY   \words, \step, WORD_ADD, -30
114:    ENTRY   \words, \step, WORD_ADD, -28
113:    ENTRY   \words, \step, WORD_ADD, -26
112:    ENTRY   \words, \step, WORD_ADD, -24
111:    ENTRY   \words, \step, WORD_ADD, -22
110:    ENTRY   \words, \step, WORD_ADD, -20
109:    ENTRY   \words, \step, WORD_ADD, -18
108:    ENTRY   \words, \step, WORD_ADD, -16
107:    ENTRY   \words, \step, WORD_ADD, -14
106:    ENTRY   \words, \step, WORD_ADD, -12
105:    ENTRY   \words, \step, WORD_ADD, -10
104:    ENTRY   \words, \step, WORD_ADD, -8
103:    ENTRY   \words, \step, WORD_ADD, -6
102:    ENTRY   \words, \step, WORD_ADD, -4
101:    ENTRY   \words, \step, WORD_ADD, -2
        DISPATCH \words

17:                                     /* sums = c - sums */
        .if     \words == 4
        ldrh    r0, [r12], #2
        .else
        ldrh    r0, [r12, #-34]
        sub     r12, r12, #32
        .endif
        pkhbt   r0, r0, r0, lsl #16
        EACH    \words, WORD_NEGATE
        DISPATCH \words

18:                                     /* sums = 0 */
        .if     \words < 4
        sub     r12, r12, #36
        .endif
        EACH    \words, WORD_CLEAR
        DISPATCH \words

19:                                     /* the end, in 32 bits, with a clamp to any limits */
        .if     \words < 4
        sub     r12, r12, #38
        .endif
        str     lr, [sp, #BASE]
        ldr     r0, [sp, #SCALE]
        ldr     r1, [sp, #OFFSET]
        lsr     lr, r0, #16
        EACH    \words, WORD_SHIFT
        ldr     r0, [sp, #ABOVE]
        ldr     r1, [sp, #BELOW]
        ldr     r2, [sp, #LEAST]
        ldr     lr, [sp, #BASE]
        EACH_EVEN \words, WORD_CLAMP
        b       21f

20:                                     /* the end, in the upper halves of words */
        ldr     r0, [sp, #SCALE]
        ldr     r1, [sp, #OFFSET]
        EACH    \words, WORD_SCALE
21:     ldrd    r0, r1, [sp, #OUT]
        .if     \words == 4
        stm     r0!, {r4, r6, r8, r10}
        .elseif \words == 3
        stm     r0!, {r4, r6, r8}
        .elseif \words == 2
        stm     r0!, {r4, r6}
        .else
        str     r4, [r0], #4
        .endif
        add     lr, lr, #4 * \words * \step
        cmp     r0, r1
        str     r0, [sp, #OUT]
        bne     \name
        b       mcugen1_sparse_next_dsp
        .size   \name, . - \name
        .endm

#endif
#endif
