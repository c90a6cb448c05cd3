/* im2col_pairs.h - a row of im2col by pairs, for cores with the DSP extension: eight sums, two products an instruction.
 *
 *     r4-r7     256 * A + B of lanes 0, 1, 2, 3      r0   weights of a pair of taps, of both channels, then of b
 *     r8-r11    B                                    r1-r3, lr  its pixels in four lanes
 *                                                    r12  the program
 *
 * SMLAD adds the products of both taps of a pair. Its sums are modulo 2^32, and so is 256 * A + B - B = A << 8, which
 * the proof keeps within 32 bits. \most pairs have code of their own. What \pairs says is how many a layer has: EXACTLY so
 * many; UP_TO as many, then it enters behind the first ones, with r12 as far in front of the program; or ANY number, and
 * the code is a loop. Up to 20 pairs are gathered in the stack frame, whose pointer leaves one register more to load
 * pixels to; for ANY number r3 points to scratch, and two lanes are loaded at a time.
 */
/* clang-format off */
#ifndef MCUGEN_IM2COL_PAIRS_H
#define MCUGEN_IM2COL_PAIRS_H
#ifdef __ASSEMBLER__

#include "mcugen.h"

        .equ    EXACTLY, 0
        .equ    UP_TO, 1
        .equ    ANY, 2

/* The frame: struct mcugen_im2col_job, and what follows of it. */
        .equ    X, 0
        .equ    X_STEP, 4
        .equ    Y, 8
        .equ    END, 12
        .equ    PLANE, 16
        .equ    TAPS, 20
        .equ    GATHERED, 24
        .equ    PROGRAM, 28
        .equ    PAIRS, 32
        .equ    ENTRY, 36               /* code of a channel's second pair */
        .equ    FIRST, 40               /* r12 at the first two channels, and r3 */
        .equ    PIXELS, 44
        .equ    NEXT, 48                /* from r12 at the end to the next two channels */
        .equ    Y_AT, 52                /* word of y of the channel */
        .equ    LAST, 56                /* r3 at the end */
        .equ    FRAME, 60
        .equ    HERE, 60                /* what is gathered, if it is in the frame */

        .macro  MAC2 set, sum, x, w
        .if     \set
        smuad   \sum, \x, \w
        .else
        smlad   \sum, \x, \w, \sum
        .endif
        .endm

/* Two taps of four pixels for two channels, 56 bytes. \set: the first ones. From the frame: 6 + 4 + 1 + 4 cycles. */
        .macro  PAIR pairs, at, set=0
        .if     \pairs == ANY
        ldr.w   r0, [r12, #4 * (\at)]
        ldr.w   r1, [r3, #16 * (\at)]
        ldr.w   r2, [r3, #16 * (\at) + 4]
        sxtb16  lr, r0
        MAC2    \set, r4, r1, r0
        MAC2    \set, r8, r1, lr
        MAC2    \set, r5, r2, r0
        MAC2    \set, r9, r2, lr
        ldr.w   r1, [r3, #16 * (\at) + 8]
        ldr.w   r2, [r3, #16 * (\at) + 12]
        MAC2    \set, r6, r1, r0
        MAC2    \set, r10, r1, lr
        MAC2    \set, r7, r2, r0
        MAC2    \set, r11, r2, lr
        .else
        ldr.w   r0, [r12, #4 * (\at)]
        ldr.w   r1, [sp, #HERE + 16 * (\at)]
        ldr.w   r2, [sp, #HERE + 16 * (\at) + 4]
        ldr.w   r3, [sp, #HERE + 16 * (\at) + 8]
        ldr.w   lr, [sp, #HERE + 16 * (\at) + 12]
        MAC2    \set, r4, r1, r0
        MAC2    \set, r5, r2, r0
        MAC2    \set, r6, r3, r0
        MAC2    \set, r7, lr, r0
        sxtb16  r0, r0
        MAC2    \set, r8, r1, r0
        MAC2    \set, r9, r2, r0
        MAC2    \set, r10, r3, r0
        MAC2    \set, r11, lr, r0
        .endif
        .endm

/* Two taps in \x and \next to pairs of bytes, one lane in a word: 6 + 4 cycles; \at bytes behind r2, which goes on by 32 with the first two. */
        .macro  GATHER x, next, at
        pkhbt   r8, \x, \next, lsl #16
        pkhtb   r10, \next, \x, asr #16
        uxtb16  r7, r8
        uxtb16  r8, r8, ror #8
        uxtb16  r9, r10
        uxtb16  r10, r10, ror #8
        .if     (\at) == -32
        str     r7, [r2], #32
        .else
        str     r7, [r2, #(\at)]
        .endif
        str     r8, [r2, #(\at) + 4]
        str     r9, [r2, #(\at) + 8]
        str     r10, [r2, #(\at) + 12]
        .endm

/* The upper halves of four results to a word in \l0, 5 cycles. */
        .macro  PACK l0, l1, l2, l3
        pkhtb   \l0, \l2, \l0, asr #16
        pkhtb   \l1, \l3, \l1, asr #16
        usat16  \l0, #8, \l0
        usat16  \l1, #8, \l1
        orr     \l0, \l0, \l1, lsl #8
        .endm

        .macro  ROWS name, pairs, most
        FUNCTION \name
        push    {r4-r11, lr}
        .if     \pairs == ANY
        .set    room, FRAME
        .else
        .set    room, HERE + 16 * (\most + 1) /* four taps are gathered at a time */
        .endif
        sub     sp, sp, #room
        ldm     r0, {r4-r12}
        stm     sp, {r4-r12}
        .if     \pairs == EXACTLY
        add     r1, sp, #HERE
        str     r1, [sp, #GATHERED]
        .else
        movs    r0, #\most
        .if     \pairs == ANY
1:      cmp     r0, r12
        bhs     2f
        adds    r0, r0, #\most
        b       1b
2:      add     r1, r10, r12, lsl #4
        sub     r1, r1, #16 * \most
        str     r1, [sp, #LAST]
        .endif
        sub     r0, r0, r12             /* pairs that have code and no weights */
        .if     \pairs == ANY
        sub     r1, r10, r0, lsl #4
        str     r1, [sp, #PIXELS]
        .else
        add     r1, sp, #HERE
        add     r1, r1, r0, lsl #4
        str     r1, [sp, #GATHERED]
        .endif
        adr     r1, 4f
        movs    r2, #56
        mla     r1, r0, r2, r1
        orr     r1, r1, #1
        sub     r2, r11, r0, lsl #2
        strd    r1, r2, [sp, #ENTRY]
        rsb     r0, r0, #\most + 5
        lsl     r0, r0, #2
        str     r0, [sp, #NEXT]
        .endif
1:      ldr     r0, [sp, #X]            /* a word of y */
        ldr     r1, [sp, #TAPS]
        ldr     r2, [sp, #GATHERED]
        ldr     r12, [sp, #PAIRS]
        add     r12, r2, r12, lsl #4
2:      ldrh    r3, [r1]                /* 33 cycles for four taps */
        ldrh    r4, [r1, #2]
        ldrh    r5, [r1, #4]
        ldrh    r6, [r1, #6]
        ldr     r3, [r0, r3, lsl #2]
        ldr     r4, [r0, r4, lsl #2]
        ldr     r5, [r0, r5, lsl #2]
        ldr     r6, [r0, r6, lsl #2]
        adds    r1, r1, #8
        GATHER  r3, r4, -32
        GATHER  r5, r6, -16
        cmp     r2, r12
        blo     2b
        ldr     r0, [sp, #Y]
        .if     \pairs == EXACTLY
        ldr     r12, [sp, #PROGRAM]
        .else
        ldr     r12, [sp, #FIRST]
        .endif
        .if     \pairs == ANY
        ldr     r3, [sp, #PIXELS]
        .endif
        str     r0, [sp, #Y_AT]
        .if     \pairs == EXACTLY
3:      PAIR    \pairs, (\most - 1), 1
        .else
        b       3f
        .p2align 2
4:
        .endif
        .set    i, 0
        .rept   \most - 1
        PAIR    \pairs, i
        .set    i, i + 1
        .endr
        .if     \pairs == ANY
        ldr     r0, [sp, #LAST]
        cmp     r3, r0
        beq     5f
        add     r3, r3, #16 * \most
        add     r12, r12, #4 * \most
        PAIR    \pairs, (\most - 1)
        b       4b
5:
        .endif
        ldr     r0, [r12, #4 * \most]
        ldr     r1, [r12, #4 * \most + 4]
        ldr     r2, [r12, #4 * \most + 8]
        ldr     r3, [r12, #4 * \most + 12]
        ldr     lr, [r12, #4 * \most + 16]
        sub     r4, r4, r8
        sub     r5, r5, r9
        sub     r6, r6, r10
        sub     r7, r7, r11
        lsl     r4, r4, lr
        lsl     r5, r5, lr
        lsl     r6, r6, lr
        lsl     r7, r7, lr
        smmla   r4, r4, r0, r1
        smmla   r5, r5, r0, r1
        smmla   r6, r6, r0, r1
        smmla   r7, r7, r0, r1
        PACK    r4, r5, r6, r7
        lsl     r8, r8, r2
        lsl     r9, r9, r2
        lsl     r10, r10, r2
        lsl     r11, r11, r2
        smlawt  r8, r8, r2, r3
        smlawt  r9, r9, r2, r3
        smlawt  r10, r10, r2, r3
        smlawt  r11, r11, r2, r3
        PACK    r8, r9, r10, r11
        ldr     r0, [sp, #Y_AT]
        ldr     r1, [sp, #PLANE]
        .if     \pairs != EXACTLY
        ldr     r2, [sp, #NEXT]
        .endif
        .if     \pairs == ANY
        ldr     r3, [sp, #PIXELS]
        .endif
        lsls    lr, lr, #23             /* negative: the last two channels; carry: there is no b */
        str     r4, [r0]
        .if     \pairs == EXACTLY
        add     r12, r12, #4 * \most + 20
        .else
        add     r12, r12, r2
        .endif
        add     r0, r1
        it      cc
        strcc   r8, [r0]
        add     r0, r1
        str     r0, [sp, #Y_AT]
        .if     \pairs == EXACTLY
        bpl     3b
        .else
        bmi     7f
3:      PAIR    \pairs, (\most - 1), 1  /* two channels */
        ldr     pc, [sp, #ENTRY]
        .endif
7:      ldr     r0, [sp, #X]
        ldr     r1, [sp, #X_STEP]
        ldr     r2, [sp, #Y]
        ldr     r3, [sp, #END]
        add     r0, r0, r1
        adds    r2, r2, #4
        str     r0, [sp, #X]
        str     r2, [sp, #Y]
        cmp     r2, r3
        bne     1b
        add     sp, sp, #room
        pop     {r4-r11, pc}
        .size   \name, . - \name
        .endm

#endif
#endif
