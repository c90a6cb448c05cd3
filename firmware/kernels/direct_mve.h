/* direct_mve.h - assembler macro: strips of 1 to 6 words with Helium, four pixels in the 32-bit lanes of a register.
 *
 *     r0        struct mcugen_direct_strips
 *     r1, r2    the strip in x, in y
 *     r3        a row of taps
 *     r4-r8     its weights, scaled
 *     r10       words behind the strip, of the row
 *     r11, r12  where rows of taps lie, and weights: what is read next
 *     lr        rows of taps that are left
 *     q0-q5     sums, modulo 2^32, of a word each
 *     q6, q7    pixels; then the multiplier
 *
 * A word of x is loaded once for all taps that meet it, so a row of 3 taps and 6 words is 8 loads and 18 products.
 */
/* clang-format off */
#ifndef MCUGEN_DIRECT_MVE_H
#define MCUGEN_DIRECT_MVE_H
#ifdef __ASSEMBLER__

#include "mcugen.h"

/* struct mcugen_direct_strips (direct_mve.c) */
        .equ    X, 0
        .equ    Y, 4
        .equ    OFFSETS, 8
        .equ    WEIGHTS, 12
        .equ    TAP_ROWS, 16
        .equ    ACROSS, 20      /* words of a strip */
        .equ    WORDS, 24       /* of a row */
        .equ    HEIGHT, 28      /* rows that are left */
        .equ    X_ROW, 32       /* bytes from a row to the next */
        .equ    Y_ROW, 36
        .equ    MULT, 40        /* in the upper half */
        .equ    MORE, 44

/* The pixels in \x times weight \w to the sums of word \j. */
        .macro  MULTIPLY j, x, w
        .set    at, 0
        .irp    sum, q0, q1, q2, q3, q4, q5
        .if     at == \j
        vmla.s32 \sum, \x, \w
        .endif
        .set    at, at + 1
        .endr
        .endm

/* Word p of x: tap t of word (p - t) / step of y, where that is a whole number. */
        .macro  POSITION x, taps, words, step
        .if     \taps > 1 || p % \step == 0
        vldrb.u32 \x, [r3, #4 * p]
        .endif
        .set    t, 0
        .irp    w, r4, r5, r6, r7, r8
        .if     t < \taps && p >= t && p - t < \words * \step && (p - t) % \step == 0
        MULTIPLY ((p - t) / \step), \x, \w
        .endif
        .set    t, t + 1
        .endr
        .endm

        .macro  STRIP taps, words, step
20\words:
1:      ldr     r10, [r0, #WORDS]       /* a row */
        ldrd    r1, r2, [r0, #X]
        sub     r10, r10, #\words
2:      ldrd    r11, r12, [r0, #OFFSETS]
        ldr     lr, [r0, #TAP_ROWS]
        dls     lr, lr
        .set    at, 0
        .irp    sum, q0, q1, q2, q3, q4, q5
        .if     at < \words
        vmov.i32 \sum, #0
        .endif
        .set    at, at + 1
        .endr
3:      ldr     r3, [r11], #4
        .if     \taps == 1
        ldr     r4, [r12], #4
        .elseif \taps == 2
        ldrd    r4, r5, [r12], #8
        .elseif \taps == 3
        ldm     r12!, {r4-r6}
        .elseif \taps == 4
        ldm     r12!, {r4-r7}
        .else
        ldm     r12!, {r4-r8}
        .endif
        add     r3, r3, r1
        .set    p, 0
        .rept   (\words - 1) * \step + \taps
        .if     p % 2 == 0
        POSITION q6, \taps, \words, \step
        .else
        POSITION q7, \taps, \words, \step
        .endif
        .set    p, p + 1
        .endr
        le      lr, 3b
        ldrd    r3, r4, [r0, #MULT]     /* ((sum * mult) >> 16) + more has the result in its upper half, which fits */
        vdup.32 q7, r3
        .set    at, 0
        .irp    sum, q0, q1, q2, q3, q4, q5
        .if     at < \words
        vmulh.s32 \sum, \sum, q7
        vadd.i32 \sum, \sum, r4
        vshr.s32 \sum, \sum, #16
        vqmovunb.s16 \sum, \sum
        vstrb.32 \sum, [r2, #4 * at]
        .endif
        .set    at, at + 1
        .endr
        movs    r3, #\words             /* the last strip may overlap the one before */
        cmp     r10, r3
        csel    r3, r10, r3, lo
        sub     r10, r10, r3
        add     r2, r2, r3, lsl #2
        .if     \step == 1
        add     r1, r1, r3, lsl #2
        .else
        add     r1, r1, r3, lsl #3
        .endif
        cmp     r3, #0
        bne.w   2b
        ldrd    r1, r2, [r0, #X]
        ldrd    r3, r4, [r0, #X_ROW]
        ldr     r5, [r0, #HEIGHT]
        add     r1, r1, r3
        add     r2, r2, r4
        strd    r1, r2, [r0, #X]
        subs    r5, r5, #1
        str     r5, [r0, #HEIGHT]
        bne.w   1b
        b       9f
        .endm

/* void \name(struct mcugen_direct_strips *job): rows of words, by strips of job->across words; with \words = 1 of one. */
        .macro  STRIPS name, taps, step, words
        FUNCTION \name
        push    {r4-r12, lr}
        vpush   {d8-d15}
        .if     \words > 1
        ldr     r1, [r0, #ACROSS]
        tbh     [pc, r1, lsl #1]
8:      .short  0, (201f - 8b) / 2, (202f - 8b) / 2, (203f - 8b) / 2, (204f - 8b) / 2, (205f - 8b) / 2, (206f - 8b) / 2
        STRIP   \taps, 6, \step
        STRIP   \taps, 5, \step
        STRIP   \taps, 4, \step
        STRIP   \taps, 3, \step
        STRIP   \taps, 2, \step
        .endif
        STRIP   \taps, 1, \step
9:      vpop    {d8-d15}
        pop     {r4-r12, pc}
        .size   \name, . - \name
        .endm

#endif
#endif
