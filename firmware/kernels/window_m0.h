/* window_m0.h - the macro WINDOW for Armv6-M: a product an instruction, in a single cycle where the core has that.
 *
 *     r5, r6, r7, r8     sums t0, t1, t2, t3 of the first word        r0       address of the row's first pixels
 *     r9, r10, r11, r12  of the second word                           r1, r2   weights
 *     r3, r4             a word of x, what is left of it              lr       bytes to the next row
 *
 * direct_words_m0.h says what t0 to t3 are. Weights are scaled by all bits of up. Cycles are those of all lanes; where LANES
 * is 3, there is nothing in the highest, and r8 and r12 are not used.
 */
/* clang-format off */
#ifndef MCUGEN_WINDOW_M0_H
#define MCUGEN_WINDOW_M0_H
#ifdef __ASSEMBLER__

#include "direct_words_m0.h"

/* The frame. */
        .equ    WEIGHTS, 0      /* 9 words */
        .equ    MULT, 36
        .equ    MORE, 40
        .equ    Y, 44           /* the next word */
        .equ    SUM, 48         /* r5, where it holds something else */
        .equ    END, 52         /* of x, in this row: where strips of two words end */
        .equ    BACK, 56        /* bytes from the last row of a word's window to the first row of the next word's */
        .equ    ROWS, 60        /* of y, that are left */
        .equ    ODD, 64
        .equ    JOB, 68
        .equ    FRAME, 76       /* with 9 registers a multiple of 8 */

/* The word at r0 + 4 * \at: times \w to the first word's sums, times \v to the second's. */
        .macro  FIRST at, w, begin=0
        ldr     r3, [r0, #4 * \at]
        LOW_WORD
        WORD    \begin, \w, r5, r6, r7, r8
        .endm

        .macro  SECOND at, w, begin=0
        ldr     r3, [r0, #4 * \at]
        LOW_WORD
        WORD    \begin, \w, r9, r10, r11, r12
        .endm

        .macro  BOTH at, w, v, begin=0
        ldr     r3, [r0, #4 * \at]
        .if     LANES > 3
        mov     r4, r3
        muls    r4, \w
        add     r5, r4
        lsrs    r4, r3, #8
        muls    r4, \w
        add     r6, r4
        lsrs    r4, r3, #16
        muls    r4, \w
        add     r7, r4
        lsrs    r4, r3, #24
        muls    r4, \w
        add     r8, r4
        .else
        LOW_WORD
        lsrs    r4, r3, #8
        muls    r4, \w
        add     r5, r4
        lsrs    r4, r3, #16
        muls    r4, \w
        add     r6, r4
        lsrs    r4, r3, #24
        muls    r4, \w
        add     r7, r4
        .endif
        WORD    \begin, \v, r9, r10, r11, r12
        .endm

/* A row: 82 cycles for two words with a step of 1, 84 with a step of 2; 45 for one word. */
        .macro  ROW words, step, row
        ldr     r2, [sp, #WEIGHTS + 12 * \row]
        FIRST   0, r2, (\row == 0)
        ldr     r1, [sp, #WEIGHTS + 12 * \row + 4]
        .if     \words == 1
        FIRST   1, r1
        ldr     r2, [sp, #WEIGHTS + 12 * \row + 8]
        FIRST   2, r2
        .elseif \step == 1
        BOTH    1, r1, r2, (\row == 0)
        ldr     r2, [sp, #WEIGHTS + 12 * \row + 8]
        BOTH    2, r2, r1
        SECOND  3, r2
        .else
        FIRST   1, r1
        SECOND  3, r1, (\row == 0)
        ldr     r1, [sp, #WEIGHTS + 12 * \row + 8]
        BOTH    2, r1, r2
        SECOND  4, r1
        .endif
        .if     \row < 2
        add     r0, lr
        .endif
        .endm

/* One or two words of y from the windows at r0; r0 goes on behind them. With a step of 1: 248 + 141 cycles for two. */
        .macro  STRIP words, step
        ROW     \words, \step, 0
        ROW     \words, \step, 1
        ROW     \words, \step, 2
        str     r5, [sp, #SUM]
        ldr     r5, [sp, #MORE]
        mov     r2, r8
        mov     r8, r0
        ldr     r0, [sp, #MULT]
        movs    r1, #0
        .if     LANES > 3
        lsls    r4, r2, #8
        PIXEL   r0, r5, r1, \words\()0, 24
        subs    r2, r7, r4
        .else
        mov     r2, r7
        .endif
        lsls    r4, r7, #8
        PIXEL   r0, r5, r1, \words\()0, 16
        subs    r2, r6, r4
        lsls    r4, r6, #8
        PIXEL   r0, r5, r1, \words\()0, 8
        ldr     r2, [sp, #SUM]
        subs    r2, r2, r4
        PIXEL   r0, r5, r1, \words\()0, 0
        .if     \words == 2
        mov     r6, r1
        movs    r1, #0
        .if     LANES > 3
        mov     r2, r12
        lsls    r4, r2, #8
        PIXEL   r0, r5, r1, \words\()1, 24
        mov     r3, r11
        subs    r2, r3, r4
        .else
        mov     r3, r11
        mov     r2, r3
        .endif
        lsls    r4, r3, #8
        PIXEL   r0, r5, r1, \words\()1, 16
        mov     r3, r10
        subs    r2, r3, r4
        lsls    r4, r3, #8
        PIXEL   r0, r5, r1, \words\()1, 8
        mov     r2, r9
        subs    r2, r2, r4
        PIXEL   r0, r5, r1, \words\()1, 0
        mov     r7, r1
        ldr     r1, [sp, #Y]
        stm     r1!, {r6, r7}
        .else
        ldr     r2, [sp, #Y]
        stm     r2!, {r1}
        mov     r1, r2
        .endif
        str     r1, [sp, #Y]
        mov     r0, r8
        ldr     r1, [sp, #BACK]
        adds    r0, r0, r1
        .if     \words == 2
        adds    r0, r0, #4 * \step
        .endif
        .endm

/* A row of weights at r0, scaled by r2 bits, to r1: 16 cycles. */
        .macro  WEIGHT_ROW row
        ldrb    r3, [r0, #3 * \row]
        ldrb    r4, [r0, #3 * \row + 1]
        ldrb    r5, [r0, #3 * \row + 2]
        sxtb    r3, r3
        sxtb    r4, r4
        sxtb    r5, r5
        lsls    r3, r2
        lsls    r4, r2
        lsls    r5, r2
        stm     r1!, {r3, r4, r5}
        .endm

/* Channels of one layer. */
        .macro  WINDOW name, step, lanes
        .equ    LANES, \lanes
        FUNCTION \name
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        mov     r7, r11
        push    {r4-r7}
        sub     sp, sp, #FRAME
        str     r0, [sp, #JOB]
        ldr     r1, [r0, #JOB_ODD]
        str     r1, [sp, #ODD]
        ldr     r1, [r0, #JOB_PITCH]
        mov     lr, r1
        lsls    r1, r1, #1
        movs    r2, #4 * \step
        subs    r2, r2, r1
        str     r2, [sp, #BACK]
        mov     r7, r0
1:      ldm     r7!, {r0, r1, r2, r3}   /* a channel: weights, tails, x, y */
        str     r3, [sp, #Y]
        mov     r8, r2
        ldr     r6, [r7, #JOB_X_WORDS - 16]
        adds    r6, r6, r2
        str     r6, [sp, #END]
        ldr     r6, [r7, #JOB_ROWS - 16]
        str     r6, [sp, #ROWS]
        ldm     r7!, {r4, r5}
        adds    r4, r4, r2
        adds    r5, r5, r3
        subs    r7, #24
        mov     r6, r0
        adds    r6, #9
        str     r6, [r7]
        str     r4, [r7, #JOB_X]
        str     r5, [r7, #JOB_X + 4]
        ldm     r1!, {r4, r5}
        str     r1, [r7, #4]
        str     r5, [sp, #MORE]
        uxtb    r2, r4
        lsrs    r3, r4, #8
        uxtb    r3, r3
        adds    r2, r2, r3
        asrs    r4, r4, #16
        str     r4, [sp, #MULT]
        mov     r1, sp
        WEIGHT_ROW 0
        WEIGHT_ROW 1
        WEIGHT_ROW 2
        mov     r0, r8
2:      STRIP   2, \step
        ldr     r1, [sp, #END]
        cmp     r0, r1
        beq     3f
        b       2b
        ABOVE_WORD 20
        ABOVE_WORD 21
3:      ldr     r1, [sp, #ODD]          /* a row of y is done */
        cmp     r1, #0
        beq     4f
        b       6f
4:      ldr     r7, [sp, #JOB]
        ldr     r3, [sp, #ROWS]
        subs    r3, r3, #1
        beq     5f
        str     r3, [sp, #ROWS]
        ldr     r2, [r7, #JOB_X_GAP]
        adds    r0, r0, r2
        ldr     r2, [r7, #JOB_X_GAP + 4]
        ldr     r3, [sp, #Y]
        adds    r3, r3, r2
        str     r3, [sp, #Y]
        ldr     r2, [r7, #JOB_X_GAP + 8]
        ldr     r3, [sp, #END]
        adds    r3, r3, r2
        str     r3, [sp, #END]
        b       2b
5:      ldr     r1, [r7, #JOB_CHANNELS]
        subs    r1, r1, #1
        str     r1, [r7, #JOB_CHANNELS]
        beq     8f
        b       1b
8:      add     sp, sp, #FRAME
        pop     {r4-r7}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
        pop     {r4-r7, pc}
6:      STRIP   1, \step
        b       4b
        ABOVE_WORD 10
        .size   \name, . - \name
        .endm

#endif
#endif
