/* window_nibbles_thumb2.h - a strip of one or two words of nibbles, from Armv7-M on: two products an instruction.
 *
 *     r4-r7     sums 0, 1, 2, 3 of the first word                 r3      address of the row's first pixels
 *     r8-r11    of the second word                                r12     0x000f000f
 *     r0, r1    a word of x, two pixels of it                     r2, lr  weights
 *
 * window_nibbles.h says what the sums are. Cycles are those of cores on which MLA takes one; without the DSP extension it
 * takes two.
 */
/* clang-format off */
#ifndef MCUGEN_WINDOW_NIBBLES_THUMB2_H
#define MCUGEN_WINDOW_NIBBLES_THUMB2_H
#ifdef __ASSEMBLER__

        .equ    CENTRE, 80      /* in the frame, for both halves: LOW_ROWS of others */

        .macro  START
        mov     r12, #0x000f000f
        .endm

/* The weights at r0 as words, and the centre: 26 cycles. Then the constants of the end, which r5 and r6 hold. */
        .macro  PREPARE
        ubfx    r2, r5, #8, #8
        add     r7, sp, #WEIGHTS
        orr     r2, r2, r2, lsl #16
        lsl     r2, r2, #13
        str     r2, [sp, #CENTRE]
        PREPARE_END
        ldrsb   r2, [r0]
        ldrsb   r5, [r0, #1]
        ldrsb   r6, [r0, #2]
        ldrsb   r8, [r0, #3]
        ldrsb   r9, [r0, #4]
        stm     r7!, {r2, r5, r6, r8, r9}
        ldrsb   r2, [r0, #5]
        ldrsb   r5, [r0, #6]
        ldrsb   r6, [r0, #7]
        ldrsb   r8, [r0, #8]
        stm     r7, {r2, r5, r6, r8}
        .endm

        .macro  BEGIN
        .endm

/* Two pixels of the word in r0 in r1: those of sum \n. */
        .macro  PIXELS n
        .if     \n
        and     r1, r12, r0, lsr #4 * \n
        .else
        and     r1, r12, r0
        .endif
        .endm

/* The first pixels of a window's row times \w for one word; at \begin centres, in lr, become the sums of `both` words. */
        .macro  LEFT_SUM n, a, b, w, begin, both
        PIXELS  \n
        .if     \begin
        mla     \a, r1, \w, lr
        .if     \both
        mov     \b, lr
        .endif
        .else
        mla     \a, r1, \w, \a
        .endif
        .endm

        .macro  LEFT w, begin, both
        LEFT_SUM 0, r4, r8, \w, \begin, \both
        LEFT_SUM 1, r5, r9, \w, \begin, \both
        LEFT_SUM 2, r6, r10, \w, \begin, \both
        LEFT_SUM 3, r7, r11, \w, \begin, \both
        .endm

/* The word in r0 times \w to the sums \a to \d: 8 cycles. */
        .macro  ONLY a, b, c, d, w
        PIXELS  0
        mla     \a, r1, \w, \a
        PIXELS  1
        mla     \b, r1, \w, \b
        PIXELS  2
        mla     \c, r1, \w, \c
        PIXELS  3
        mla     \d, r1, \w, \d
        .endm

/* The word in r0 times \v to the first word's sums, times \w to the second's: 12 cycles. */
        .macro  BOTH v, w
        PIXELS  0
        mla     r4, r1, \v, r4
        mla     r8, r1, \w, r8
        PIXELS  1
        mla     r5, r1, \v, r5
        mla     r9, r1, \w, r9
        PIXELS  2
        mla     r6, r1, \v, r6
        mla     r10, r1, \w, r10
        PIXELS  3
        mla     r7, r1, \v, r7
        mla     r11, r1, \w, r11
        .endm

/* A row for both words with a step of 1: 53 cycles, for the first row 58. */
        .macro  ROW_1 row, begin
        ldr     r0, [r3]
        ldr     r2, [sp, #WEIGHTS + 12 * \row]
        .if     \begin
        ldr     lr, [sp, #CENTRE]
        .endif
        LEFT    r2, \begin, 1
        ldr     r0, [r3, #4]
        ldr     lr, [sp, #WEIGHTS + 12 * \row + 4]
        BOTH    lr, r2
        ldr     r0, [r3, #8]
        ldr     r2, [sp, #WEIGHTS + 12 * \row + 8]
        BOTH    r2, lr
        ldr     r0, [r3, #12]
        ldr     lr, [sp, #PITCH]
        NEXT_ROW \row, lr
        ONLY    r8, r9, r10, r11, r2
        .endm

/* With a step of 2: pixels 0, 1; 2, which both words share; 3, 4. 60 cycles. */
        .macro  ROW_2 row, begin
        ldr     r0, [r3]
        ldr     r2, [sp, #WEIGHTS + 12 * \row]
        .if     \begin
        ldr     lr, [sp, #CENTRE]
        .endif
        LEFT    r2, \begin, 1
        ldr     r0, [r3, #4]
        ldr     lr, [sp, #WEIGHTS + 12 * \row + 4]
        ONLY    r4, r5, r6, r7, lr
        ldr     r0, [r3, #8]
        ldr     lr, [sp, #WEIGHTS + 12 * \row + 8]
        BOTH    lr, r2
        ldr     r0, [r3, #12]
        ldr     r2, [sp, #WEIGHTS + 12 * \row + 4]
        ONLY    r8, r9, r10, r11, r2
        ldr     r0, [r3, #16]
        ldr     r2, [sp, #PITCH]
        NEXT_ROW \row, r2
        ONLY    r8, r9, r10, r11, lr
        .endm

/* A row for one word, with any step; the second's registers are free: 32 cycles, for the first row 33. */
        .macro  ROW_ONE row, begin
        ldr     r0, [r3]
        ldr     r2, [sp, #WEIGHTS + 12 * \row]
        ldr     r8, [sp, #WEIGHTS + 12 * \row + 4]
        ldr     r9, [sp, #WEIGHTS + 12 * \row + 8]
        ldr     r10, [r3, #4]
        ldr     r11, [sp, #PITCH]
        .if     \begin
        ldr     lr, [sp, #CENTRE]
        .endif
        LEFT    r2, \begin, 0
        ldr     r2, [r3, #8]
        mov     r0, r10
        ONLY    r4, r5, r6, r7, r8
        NEXT_ROW \row, r11
        mov     r0, r2
        ONLY    r4, r5, r6, r7, r9
        .endm

#if defined(__ARM_FEATURE_DSP)

/* SMLAWB and SMLAWT take r0 = mult << (32 - shift) and r1 = add >> (shift - 16), and leave the result in the upper half. */
        .macro  PREPARE_END
        and     r8, r5, #31
        asr     r5, r5, #16
        rsb     r9, r8, #32
        sub     r8, r8, #16
        lsl     r5, r5, r9
        asr     r6, r6, r8
        strd    r5, r6, [sp, #SCALE]
        .endm

        .macro  LOAD_END
        ldrd    r0, r1, [sp, #SCALE]
        .endm

/* The two sums of \v to pixels in its halves: 4 cycles. */
        .macro  HALVES v
        smlawb  r12, r0, \v, r1
        smlawt  \v, r0, \v, r1
        pkhtb   \v, \v, r12, asr #16
        usat16  \v, #4, \v
        .endm

#else

/* r0 = mult, r1 = add, r2 = shift. */
        .macro  PREPARE_END
        strd    r5, r6, [sp, #SCALE]
        .endm

        .macro  LOAD_END
        ldrd    r0, r1, [sp, #SCALE]
        and     r2, r0, #31
        asr     r0, r0, #16
        .endm

/* 12 cycles. */
        .macro  HALVES v
        uxth    r12, \v
        lsr     \v, \v, #16
        mla     r12, r12, r0, r1
        mla     \v, \v, r0, r1
        asr     r12, r12, r2
        asr     \v, \v, r2
        usat    r12, #4, r12
        usat    \v, #4, \v
        orr     \v, r12, \v, lsl #16
        .endm

#endif

/* Sums to the word of y in \a. */
        .macro  FINISH a, b, c, d
        HALVES  \a
        HALVES  \b
        HALVES  \c
        HALVES  \d
        orr     \a, \a, \b, lsl #4
        orr     \a, \a, \c, lsl #8
        orr     \a, \a, \d, lsl #12
        .endm

/* With a step of 1: 164 + 47 cycles. */
        .macro  STRIP step
        ROW_\step 0, 1
        ROW_\step 1, 0
        ROW_\step 2, 0
        LOAD_END
        FINISH  r4, r5, r6, r7
        FINISH  r8, r9, r10, r11
        ldr     r2, [sp, #Y]
        ldr     lr, [sp, #END]
        mov     r12, #0x000f000f
        .endm

        .macro  ONE
        ROW_ONE 0, 1
        ROW_ONE 1, 0
        ROW_ONE 2, 0
        LOAD_END
        FINISH  r4, r5, r6, r7
        ldr     r2, [sp, #Y]
        mov     r12, #0x000f000f
        .endm

        .macro  RARE
        .endm

#endif
#endif
