/* window_m3.h - a strip of one or two words, for Armv7-M without the DSP extension: a product an instruction.
 *
 *     r4-r7     sums t0, t1, t2, t3 of the first word             r3      address of the row's first pixels
 *     r8-r11    of the second word                                r12     bytes to the next row
 *     r0, r1    a word of x, what is left of it                   r2, lr  weights
 *
 * direct_words_m0.h says what t0 to t3 are. Weights are scaled by all bits of up. Cycles are those of all lanes; where LANES
 * is 3, there is nothing in the highest, and r7 and r11 are not used.
 */
/* clang-format off */
#ifndef MCUGEN_WINDOW_M3_H
#define MCUGEN_WINDOW_M3_H
#ifdef __ASSEMBLER__

        .macro  START
        mov     r12, r0
        .endm

/* A row of weights at r0, scaled by r2 bits, to r9: 11 cycles. */
        .macro  WEIGHT_ROW row
        ldrsb   r5, [r0, #3 * \row]
        ldrsb   r6, [r0, #3 * \row + 1]
        ldrsb   r7, [r0, #3 * \row + 2]
        lsl     r5, r5, r2
        lsl     r6, r6, r2
        lsl     r7, r7, r2
        stm     r9!, {r5, r6, r7}
        .endm

        .macro  PREPARE
        ubfx    r2, r5, #8, #8
        uxtb    r7, r5
        add     r2, r2, r7
        bfc     r5, #0, #16
        strd    r5, r6, [sp, #SCALE]
        add     r9, sp, #WEIGHTS
        WEIGHT_ROW 0
        WEIGHT_ROW 1
        WEIGHT_ROW 2
        .endm

/* \t = \v times \w if \begin, else \t + that: 1 or 2 cycles. */
        .macro  SUM begin, t, v, w
        .if     \begin
        mul     \t, \v, \w
        .else
        mla     \t, \v, \w, \t
        .endif
        .endm

/* From the word in r0 to r1, or for the first to r0, what t1, t2 and t0 are sums of. Without the highest lane it is
 * taken as 0.
 */
        .macro  SECOND_PIXEL
        .if     LANES > 3
        lsr     r1, r0, #8
        .else
        ubfx    r1, r0, #8, #16
        .endif
        .endm

        .macro  THIRD_PIXEL
        .if     LANES > 3
        lsr     r1, r0, #16
        .else
        ubfx    r1, r0, #16, #8
        .endif
        .endm

        .macro  FIRST_PIXEL
        .if     LANES < 4
        bic     r0, r0, #0xff000000
        .endif
        .endm

/* The word in r0 times \w to the first word's sums: 11 cycles. */
        .macro  FIRST w, begin=0
        SECOND_PIXEL
        SUM     \begin, r5, r1, \w
        THIRD_PIXEL
        SUM     \begin, r6, r1, \w
        .if     LANES > 3
        lsr     r1, r0, #24
        SUM     \begin, r7, r1, \w
        .endif
        FIRST_PIXEL
        SUM     \begin, r4, r0, \w
        .endm

        .macro  SECOND w, begin=0
        SECOND_PIXEL
        SUM     \begin, r9, r1, \w
        THIRD_PIXEL
        SUM     \begin, r10, r1, \w
        .if     LANES > 3
        lsr     r1, r0, #24
        SUM     \begin, r11, r1, \w
        .endif
        FIRST_PIXEL
        SUM     \begin, r8, r0, \w
        .endm

/* Times \w to the first word's, times \v to the second's: 19 cycles. */
        .macro  BOTH w, v, begin=0
        SECOND_PIXEL
        mla     r5, r1, \w, r5
        SUM     \begin, r9, r1, \v
        THIRD_PIXEL
        mla     r6, r1, \w, r6
        SUM     \begin, r10, r1, \v
        .if     LANES > 3
        lsr     r1, r0, #24
        mla     r7, r1, \w, r7
        SUM     \begin, r11, r1, \v
        .endif
        FIRST_PIXEL
        mla     r4, r0, \w, r4
        SUM     \begin, r8, r0, \v
        .endm

/* A row: 71 cycles for two words with a step of 1, 73 with a step of 2; 42 for one word. */
        .macro  ROW words, step, row
        ldr     r0, [r3]
        ldr     lr, [sp, #WEIGHTS + 12 * \row]
        FIRST   lr, (\row == 0)
        ldr     r0, [r3, #4]
        ldr     r2, [sp, #WEIGHTS + 12 * \row + 4]
        .if     \words == 1
        FIRST   r2
        ldr     r0, [r3, #8]
        ldr     lr, [sp, #WEIGHTS + 12 * \row + 8]
        NEXT_ROW \row, r12
        FIRST   lr
        .elseif \step == 1
        BOTH    r2, lr, (\row == 0)
        ldr     r0, [r3, #8]
        ldr     lr, [sp, #WEIGHTS + 12 * \row + 8]
        BOTH    lr, r2
        ldr     r0, [r3, #12]
        NEXT_ROW \row, r12
        SECOND  lr
        .else
        FIRST   r2
        ldr     r0, [r3, #12]
        SECOND  r2, (\row == 0)
        ldr     r0, [r3, #8]
        ldr     r2, [sp, #WEIGHTS + 12 * \row + 8]
        BOTH    r2, lr
        ldr     r0, [r3, #16]
        NEXT_ROW \row, r12
        SECOND  r2
        .endif
        .endm

/* A sum, which is acc << up, times mult << 16: the upper word of the product is what more is added to; 7 cycles. */
        .macro  PIXEL v
        smull   lr, \v, \v, r0
        add     \v, \v, r1
        usat    \v, #8, \v, asr #16
        .endm

/* Sums to a word in \t0; r0, r1 = mult << 16, more: 34 cycles. */
        .macro  FINISH t0, t1, t2, t3
        sub     \t0, \t0, \t1, lsl #8
        sub     \t1, \t1, \t2, lsl #8
        .if     LANES > 3
        sub     \t2, \t2, \t3, lsl #8
        .endif
        PIXEL   \t0
        PIXEL   \t1
        PIXEL   \t2
        .if     LANES > 3
        PIXEL   \t3
        .endif
        orr     \t0, \t0, \t1, lsl #8
        orr     \t0, \t0, \t2, lsl #16
        .if     LANES > 3
        orr     \t0, \t0, \t3, lsl #24
        .endif
        .endm

        .macro  BEGIN
        .endm

        .macro  STRIP step
        ROW     2, \step, 0
        ROW     2, \step, 1
        ROW     2, \step, 2
        ldm     sp, {r0, r1, r2}
        FINISH  r4, r5, r6, r7
        FINISH  r8, r9, r10, r11
        ldr     lr, [sp, #END]
        .endm

        .macro  ONE
        ROW     1, 1, 0
        ROW     1, 1, 1
        ROW     1, 1, 2
        ldm     sp, {r0, r1, r2}
        FINISH  r4, r5, r6, r7
        .endm

        .macro  RARE
        .endm

#endif
#endif
