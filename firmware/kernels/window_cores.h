/* window_cores.h - the assembler macro WINDOW of `window` for this core, and what its variants share. */
/* clang-format off */
#ifndef MCUGEN_WINDOW_CORES_H
#define MCUGEN_WINDOW_CORES_H
#ifdef __ASSEMBLER__

#include "mcugen.h"

/* struct mcugen_window_job. */
        .equ    JOB_X, 8
        .equ    JOB_PLANES, 16
        .equ    JOB_CHANNELS, 24
        .equ    JOB_ODD, 28
        .equ    JOB_ROWS, 32
        .equ    JOB_X_GAP, 36
        .equ    JOB_X_WORDS, 48
        .equ    JOB_PITCH, 52

#if defined(__ARM_FEATURE_DSP)
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
        .equ    FRAME, 84       /* with 9 registers a multiple of 8 */

/* Channels of one layer. The core's START sets r12 for good, r0 being the pitch; PREPARE unpacks a channel's weights at r0 for scale and more
 * in r5, r6, and keeps r0, r1, r3, r4, r11; STRIP and ONE make two words of y in r4, r8, or one in r4, from the windows
 * at r3, which they keep. STRIP leaves Y in r2 and END in lr, ONE leaves Y in r2; RARE is code that they jump to.
 */
        .macro  WINDOW name, step, lanes
        .equ    LANES, \lanes
        FUNCTION \name
        push    {r4-r11, lr}
        sub     sp, sp, #FRAME
        mov     r11, r0
        ldr     r0, [r11, #JOB_PITCH]
        str     r0, [sp, #PITCH]
        START
        add     r0, r11, #JOB_ODD
        ldm     r0, {r0, r1, r2, r3, r4}
        sub     r1, r1, #1
        orr     r0, r0, r1, lsl #1
        add     r5, sp, #X_GAP
        stm     r5, {r2, r3, r4}
        strd    r0, r11, [sp, #ALL_ROWS]
1:      ldm     r11, {r0, r1, r3, r4}   /* a channel */
        ldrd    r5, r6, [r1], #8
        PREPARE
        adds    r0, r0, #9
        strd    r0, r1, [r11]
        ldrd    r5, r6, [r11, #JOB_PLANES]
        add     r5, r5, r3
        add     r6, r6, r4
        strd    r5, r6, [r11, #JOB_X]
        ldr     r5, [r11, #JOB_X_WORDS]
        ldr     r6, [sp, #ALL_ROWS]
        add     r5, r5, r3
        strd    r4, r5, [sp, #Y]
        str     r6, [sp, #ROWS]
2:      STRIP   \step
        strd    r4, r8, [r2], #8
        adds    r3, r3, #8 * \step
        cmp     r3, lr
        str     r2, [sp, #Y]
        bne     2b
        ldrd    r0, r1, [sp, #ROWS]     /* a row of y is done */
        lsls    r4, r0, #31
        bne     9f
3:      ldrd    r4, r5, [sp, #Y_GAP]
        subs    r0, r0, #2
        bmi     4f
        str     r0, [sp, #ROWS]
        add     r3, r3, r1
        add     r2, r2, r4
        add     lr, lr, r5
        strd    r2, lr, [sp, #Y]
        b       2b
4:      ldr     r11, [sp, #JOB]
        ldr     r0, [r11, #JOB_CHANNELS]
        subs    r0, r0, #1
        str     r0, [r11, #JOB_CHANNELS]
        bne     1b
        add     sp, sp, #FRAME
        pop     {r4-r11, pc}
9:      ONE
        str     r4, [r2], #4
        adds    r3, r3, #4 * \step
        ldrd    r0, r1, [sp, #ROWS]
        ldr     lr, [sp, #END]
        b       3b
        RARE
        .size   \name, . - \name
        .endm

#endif
#endif
#endif
