/* direct_dsp.h - a strip of one or two words, for cores with the DSP extension: two products an instruction.
 *
 *     r4-r7     sums of lanes 0, 1, 2, 3 of the first word        r3   address of the row's first pixels
 *     r8-r11    of the second word                                r12  the row in the program
 *     r0-r2     words of x, and pixels taken from them            lr   two weights
 *
 * The words of two neighbouring taps a, b are shuffled to pairs of bytes by two PKHxx and four UXTB16, (a, b) of one
 * lane in the halves of a register. SMLAD adds both products; the pair may serve the first word with some weights and
 * the second with others. SMLAxy takes one half of each. No sum is ever saturated or rounded: 32 bits, modulo 2^32.
 */
/* clang-format off */
#ifndef MCUGEN_DIRECT_DSP_H
#define MCUGEN_DIRECT_DSP_H
#ifdef __ASSEMBLER__

        .equ    FRAME, 36

/* The pixels of one tap, in \x: \op is bb or bt, by the half of lr with the weight (ab, cd: of the lanes' sums). */
        .macro  SINGLE x, tmp, half, l0, l1, l2, l3
        uxtb16  \tmp, \x
        uxtb16  \x, \x, ror #8
        smlab\half \l0, \tmp, lr, \l0
        smlat\half \l2, \tmp, lr, \l2
        smlab\half \l1, \x, lr, \l1
        smlat\half \l3, \x, lr, \l3
        .endm

/* The same tap of both words: 2 + 1 + 1 + 12 cycles. */
        .macro  SINGLES tap, step, weights, half
        ldr     r0, [r3, #4 * \tap]
        ldr     r1, [r3, #4 * (\tap + \step)]
        .if     \weights >= 0
        ldr     lr, [r12, #4 + 4 * \weights]
        .endif
        SINGLE  r0, r2, \half, r4, r5, r6, r7
        SINGLE  r1, r2, \half, r8, r9, r10, r11
        .endm

        .macro  LOAD tap, weights
        ldr     r0, [r3, #4 * \tap]
        ldr     r1, [r3, #4 * \tap + 4]
        .if     \weights >= 0
        ldr     lr, [r12, #4 + 4 * \weights]
        .endif
        pkhbt   r2, r0, r1, lsl #16
        pkhtb   r1, r1, r0, asr #16
        .endm

/* Two taps for one word. */
        .macro  PAIR tap, weights, l0, l1, l2, l3
        LOAD    \tap, \weights
        uxtb16  r0, r2
        uxtb16  r2, r2, ror #8
        smlad   \l0, r0, lr, \l0
        smlad   \l1, r2, lr, \l1
        uxtb16  r0, r1
        uxtb16  r1, r1, ror #8
        smlad   \l2, r0, lr, \l2
        smlad   \l3, r1, lr, \l3
        .endm

/* Two taps for both words with the same weights, by \first and \second: 4 + 6 + 8 cycles. */
        .macro  SHARED tap, weights, first, second
        LOAD    \tap, \weights
        uxtb16  r0, r2
        uxtb16  r2, r2, ror #8
        \first  r4, r0, lr, r4
        \second r8, r0, lr, r8
        \first  r5, r2, lr, r5
        \second r9, r2, lr, r9
        uxtb16  r0, r1
        uxtb16  r1, r1, ror #8
        \first  r6, r0, lr, r6
        \second r10, r0, lr, r10
        \first  r7, r1, lr, r7
        \second r11, r1, lr, r11
        .endm

/* As SHARED 0, for the first row of a strip: sets the sums. */
        .macro  BEGIN
        LOAD    0, -1
        uxtb16  r0, r2
        uxtb16  r2, r2, ror #8
        smuad   r4, r0, lr
        smultb  r8, r0, lr
        smuad   r5, r2, lr
        smultb  r9, r2, lr
        uxtb16  r0, r1
        uxtb16  r1, r1, ror #8
        smuad   r6, r0, lr
        smultb  r10, r0, lr
        smuad   r7, r1, lr
        smultb  r11, r1, lr
        .endm

/* Two taps for both words: for the first with \weights, for the second with \others. lr = \weights afterwards. */
        .macro  BOTH tap, weights, others
        LOAD    \tap, \others
        uxtb16  r0, r2
        uxtb16  r2, r2, ror #8
        smlad   r8, r0, lr, r8
        smlad   r9, r2, lr, r9
        ldr     lr, [r12, #4 + 4 * \weights]
        smlad   r4, r0, lr, r4
        smlad   r5, r2, lr, r5
        uxtb16  r0, r1
        uxtb16  r1, r1, ror #8
        smlad   r6, r0, lr, r6
        smlad   r7, r1, lr, r7
        ldr     lr, [r12, #4 + 4 * \others]
        smlad   r10, r0, lr, r10
        smlad   r11, r1, lr, r11
        .endm

/* Tap 2 of the first word, which is tap 0 of the second with a step of 2: 2 + 2 + 4 + 2 + 4 cycles. */
        .macro  MIDDLE weights
        ldr     r0, [r3, #8]
        uxtb16  r2, r0
        uxtb16  r0, r0, ror #8
        smlabb  r8, r2, lr, r8
        smlatb  r10, r2, lr, r10
        smlabb  r9, r0, lr, r9
        smlatb  r11, r0, lr, r11
        ldr     lr, [r12, #4 + 4 * \weights]
        smlabt  r4, r2, lr, r4
        smlatt  r6, r2, lr, r6
        smlabt  r5, r0, lr, r5
        smlatt  r7, r0, lr, r7
        .endm

/* A row of a strip of one word, \at words behind r12 in the program. Word i of its weights is w[i], w[i + 1]. */
        .macro  ROW1 taps, at=0
        ldr     r0, [r12, #4 * (\at)]
        ldr     lr, [r12, #4 * (\at + 1)]
        asrs    r0, r0, #1              /* carry: the last */
        add     r3, r3, r0
        .if     \taps > 1
        PAIR    0, -1, r4, r5, r6, r7
        .endif
        .if     \taps > 3
        PAIR    2, (\at + 2), r4, r5, r6, r7
        .endif
        .if     \taps % 2 == 1
        ldr     r0, [r3, #4 * (\taps - 1)]
        .if     \taps > 1
        ldr     lr, [r12, #4 * (\at + \taps)]
        .endif
        SINGLE  r0, r2, b, r4, r5, r6, r7
        .endif
        .endm

/* A row of a strip of two words, of which the second lies \step taps behind the first. Its place in the
 * program is \at words behind r12. \begin: it sets the sums.
 */
        .macro  ROW2 taps, step, at=0, begin=0
        ldr     r0, [r12, #4 * (\at)]
        ldr     lr, [r12, #4 * (\at + 1)]
        asrs    r0, r0, #1
        add     r3, r3, r0
        .if     \taps == 1
        SINGLES 0, \step, -1, b
        .elseif \step == 1
        .if     \begin
        BEGIN
        .else
        SHARED  0, -1, smlad, smlatb
        .endif
        .if     \taps == 2
        ldr     r0, [r3, #8]
        SINGLE  r0, r2, t, r8, r9, r10, r11
        .elseif \taps == 3
        SHARED  2, (\at + 1), smlabt, smlad
        .else
        BOTH    2, (\at + 2), (\at + 1)
        .if     \taps == 4
        ldr     r0, [r3, #16]
        ldr     lr, [r12, #4 * (\at + 3)]
        SINGLE  r0, r2, t, r8, r9, r10, r11
        .else
        SHARED  4, (\at + 3), smlabt, smlad
        .endif
        .endif
        .else
        PAIR    0, -1, r4, r5, r6, r7
        .if     \taps == 2
        PAIR    2, -1, r8, r9, r10, r11
        .elseif \taps == 3
        MIDDLE  (\at + 1)
        PAIR    3, -1, r8, r9, r10, r11
        .else
        BOTH    2, (\at + 2), (\at)
        PAIR    4, (\at + 2), r8, r9, r10, r11
        .if     \taps == 5
        SINGLES 4, 2, (\at + 4), b
        .endif
        .endif
        .endif
        .endm

/* Four sums to a word in \l0, 9 cycles; r0, r1 = scale, more. The result is the upper half, which fits. */
        .macro  FINISH l0, l1, l2, l3
        smlawt  \l0, \l0, r0, r1
        smlawt  \l1, \l1, r0, r1
        smlawt  \l2, \l2, r0, r1
        smlawt  \l3, \l3, r0, r1
        pkhtb   \l0, \l2, \l0, asr #16
        pkhtb   \l1, \l3, \l1, asr #16
        usat16  \l0, #8, \l0
        usat16  \l1, #8, \l1
        orr     \l0, \l0, \l1, lsl #8
        .endm

        .macro  STRIPS name, taps, step, words
        FUNCTION \name
        push    {r4-r11, lr}
        sub     sp, sp, #FRAME
        ldm     r0, {r3-r12}
        stm     sp, {r4-r12}
        b       2f
1:      ldr     r12, [sp, #PROGRAM]
2:
        .if     \words == 2 && \step == 1 && \taps == 3
        ROW2    3, 1, 0, 1              /* windows of three rows are the usual ones */
        bcs     4f
3:      ROW2    3, 1, 4
        bcs     4f
        ROW2    3, 1, 8
        add     r12, r12, #32
        bcc     3b
        .else
        movs    r4, #0
        movs    r5, #0
        movs    r6, #0
        movs    r7, #0
        .if     \words == 2
        mov     r8, r4
        mov     r9, r4
        mov     r10, r4
        mov     r11, r4
3:      ROW2    \taps, \step
        .else
3:      ROW1    \taps
        .endif
        .if     \taps > 2
        bcs     4f
        .if     \words == 2
        ROW2    \taps, \step, (\taps + 1)
        .else
        ROW1    \taps, (\taps + 1)
        .endif
        add     r12, r12, #4 + 4 * \taps
        .endif
        add     r12, r12, #4 + 4 * \taps
        bcc     3b
        .endif
4:      ldrd    r0, r1, [sp, #SCALE]
        lsls    r2, r0, #24             /* up is 0 where weights are scaled */
        beq     5f
        lsl     r4, r4, r0
        lsl     r5, r5, r0
        lsl     r6, r6, r0
        lsl     r7, r7, r0
        .if     \words == 2
        lsl     r8, r8, r0
        lsl     r9, r9, r0
        lsl     r10, r10, r0
        lsl     r11, r11, r0
        .endif
5:      FINISH  r4, r5, r6, r7
        .if     \words == 2
        FINISH  r8, r9, r10, r11
        .endif
        NEXT_STRIP \words
        .size   \name, . - \name
        .endm

#endif
#endif
