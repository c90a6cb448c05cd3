/* window_cores.h - the assembler macro WINDOW of `window` for this core, and what its variants share. */
/* clang-format off */
#ifndef MCUGEN_WINDOW_CORES_H
#define MCUGEN_WINDOW_CORES_H
#ifdef __ASSEMBLER__

#include "mcugen.h"

/* struct mcugen_window_job. */
        .equ    JOB_X, 8
        .equ    JOB_Y, 12
        .equ    JOB_PLANES, 16
        .equ    JOB_CHANNELS, 24
        .equ    JOB_ODD, 28
        .equ    JOB_ROWS, 32
        .equ    JOB_X_GAP, 36
        .equ    JOB_X_WORDS, 48
        .equ    JOB_PITCH, 52
        .equ    JOB_FULL, 60

#if __ARM_ARCH_ISA_THUMB == 2
/* After the loads of a row: to the next, or back from the last. */
        .macro  NEXT_ROW row, pitch
        .if     \row < 2
        add     r3, r3, \pitch
        .else
        sub     r3, r3, \pitch, lsl #1
        .endif
        .endm
#endif

#if defined(MCUGEN_WINDOW_NIBBLES)
#include "window_nibbles_thumb2.h"
#elif defined(__ARM_FEATURE_DSP)
#include "window_dsp.h"
#elif defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
#include "window_m3.h"
#else
#include "window_m0.h"
#endif

#if __ARM_ARCH_ISA_THUMB == 2

/* The frame. */
        .equ    SCALE, 0        /* the first four are loaded at once */
        .equ    MORE, 4
        .equ    Y, 8            /* the next word */
        .equ    END, 12         /* of x, in this row: where strips of two words end */
        .equ    WEIGHTS, 16     /* 9 words */
        .equ    ROWS, 52        /* 2 * the rows of y that are left behind this one, + 1 if words are odd */
        .equ    X_GAP, 56
        .equ    Y_GAP, 60
        .equ    X_ROW, 64
        .equ    ALL_ROWS, 68    /* what ROWS is at first */
        .equ    JOB, 72
        .equ    PITCH, 76       /* of the window's rows */
        .equ    LOW_ROWS, 80    /* ROWS at first, of the rows of three lanes */
        .equ    FRAME, 84       /* with 9 registers a multiple of 8 */

/* To the next row of y, r0 being ROWS then. */
        .macro  NEXT_Y
        ldr     r1, [sp, #X_GAP]
        ldr     r4, [sp, #Y_GAP]
        ldr     r5, [sp, #X_ROW]
        add     r3, r3, r1
        add     r2, r2, r4
        add     lr, lr, r5
        str     r0, [sp, #ROWS]
        str     r2, [sp, #Y]
        str     lr, [sp, #END]
        .endm

/* Rows of y of a channel: those that are left, and what is done behind the last one follows as 4. STRIP and ONE make two
 * words of y in r4, r8, or one in r4, from the windows at r3, which they keep. STRIP leaves Y in r2 and END in lr, ONE
 * leaves Y in r2; BEGIN loads what they keep; RARE is code that they jump to.
 */
        .macro  LOOP step
        BEGIN
2:      STRIP   \step
        str     r4, [r2], #4
        str     r8, [r2], #4
        adds    r3, r3, #8 * \step
        cmp     r3, lr
        str     r2, [sp, #Y]
        bne     2b
        ldr     r0, [sp, #ROWS]         /* a row of y is done */
        lsls    r4, r0, #31
        bne     9f
        subs    r0, r0, #2
        bmi     4f
        NEXT_Y
        b       2b
9:      ONE
        str     r4, [r2], #4
        adds    r3, r3, #4 * \step
        ldr     r0, [sp, #ROWS]
        ldr     lr, [sp, #END]
        subs    r0, r0, #2
        bmi     4f
        NEXT_Y
        b       2b
        RARE
        .endm

/* Channels of one layer. The core's START sets r12 for good, r0 being the pitch; PREPARE unpacks a channel's weights at r0
 * for scale and more in r5, r6, and keeps r0, r1, r3, r4, r11. lanes: 4, 3, or 43 for rows of four lanes first and then
 * rows of three.
 */
        .macro  WINDOW name, step, lanes
        .if     \lanes == 3
        .equ    LANES, 3
        .else
        .equ    LANES, 4
        .endif
        FUNCTION \name
        push    {r4-r11, lr}
        sub     sp, sp, #FRAME
        mov     r11, r0
        ldr     r0, [r11, #JOB_PITCH]
        str     r0, [sp, #PITCH]
        START
        add     r0, r11, #JOB_ODD
        ldm     r0, {r0, r1, r2, r3, r4}
        .if     \lanes == 43
        ldr     r6, [r11, #JOB_FULL]
        subs    r1, r1, r6
        subs    r1, r1, #1
        orr     r1, r0, r1, lsl #1
        str     r1, [sp, #LOW_ROWS]
        mov     r1, r6
        .endif
        sub     r1, r1, #1
        orr     r0, r0, r1, lsl #1
        add     r5, sp, #X_GAP
        stm     r5, {r2, r3, r4}
        strd    r0, r11, [sp, #ALL_ROWS]
1:      ldm     r11, {r0, r1, r3, r4}   /* a channel */
        ldrd    r5, r6, [r1], #8
        PREPARE
        ldrd    r5, r6, [r11, #JOB_PLANES]
        adds    r0, r0, #9
        str     r0, [r11]
        str     r1, [r11, #4]
        ldr     r0, [r11, #JOB_X_WORDS]
        ldr     r1, [sp, #ALL_ROWS]
        add     r5, r5, r3
        add     r6, r6, r4
        add     r0, r0, r3
        str     r5, [r11, #JOB_X]
        str     r6, [r11, #JOB_Y]
        str     r4, [sp, #Y]
        str     r0, [sp, #END]
        str     r1, [sp, #ROWS]
        LOOP    \step
        .if     \lanes == 43
4:      ldr     r0, [sp, #LOW_ROWS]     /* from rows of four lanes to the next, of three */
        NEXT_Y
        .equ    LANES, 3
        LOOP    \step
        .endif
4:      ldr     r11, [sp, #JOB]
        ldr     r0, [r11, #JOB_CHANNELS]
        subs    r0, r0, #1
        str     r0, [r11, #JOB_CHANNELS]
        bne     1b
        add     sp, sp, #FRAME
        pop     {r4-r11, pc}
        .size   \name, . - \name
        .endm

#endif
#endif
#endif
