/* im2col_m3.h - a row of im2col by quads for Armv7-M without the DSP extension: two products a multiplication.
 *
 *     r8, r9      sum of the words of lanes 0 and 2, sum of lane 2      r0   gathered pixels
 *     r10, r11    of lanes 1 and 3, of lane 3                           r1   the program
 *     r2, r3      words of a quad; r4, r5, r12, lr of its taps; r6, r7  weights
 */
/* clang-format off */
#ifndef MCUGEN_IM2COL_M3_H
#define MCUGEN_IM2COL_M3_H
#ifdef __ASSEMBLER__

#include "mcugen.h"

/* The frame: struct mcugen_im2col_job, and what follows of it. */
        .equ    X, 0
        .equ    X_STEP, 4
        .equ    Y, 8
        .equ    END, 12
        .equ    PLANE, 16
        .equ    TAPS, 20
        .equ    GATHERED, 24
        .equ    PROGRAM, 28
        .equ    QUADS, 32
        .equ    ENTRY, 36               /* code of a channel's first quad */
        .equ    LAST, 40                /* end of the gathered pixels */
        .equ    Y_AT, 44                /* word of y of the channel */
        .equ    FRAME, 48

        .equ    UNROLLED, 5
        .equ    QUAD_BYTES, 70

/* A tap's word in \v: lanes 0 and 2 and lanes 1 and 3 to \at bytes behind r2. 7 cycles. */
        .macro  SPREAD v, at
        and     r7, \v, #0x00ff00ff
        lsr     \v, \v, #8
        sub     r7, r7, #0x00800080
        and     \v, \v, #0x00ff00ff
        str     r7, [r2, #(\at)]
        sub     \v, \v, #0x00800080
        str     \v, [r2, #(\at) + 4]
        .endm

/* Four taps: 36 cycles. No sum leaves 16 bits (im2col.h). */
        .macro  QUAD
        ldr     r6, [r1], #4
        ldm     r0!, {r2-r5}
        sxtb    r7, r6
        muls    r2, r7, r2
        muls    r3, r7, r3
        sxtb    r7, r6, ror #8
        mla     r2, r4, r7, r2
        mla     r3, r5, r7, r3
        ldm     r0!, {r4, r5, r12, lr}
        sxtb    r7, r6, ror #16
        mla     r2, r4, r7, r2
        mla     r3, r5, r7, r3
        asrs    r6, r6, #24
        mla     r2, r12, r6, r2
        mla     r3, lr, r6, r3
        add     r2, r2, #0x8000
        add     r3, r3, #0x8000
        add     r8, r8, r2
        add     r10, r10, r3
        add     r9, r9, r2, asr #16
        add     r11, r11, r3, asr #16
        .endm

/* acc << up times mult << 16: the upper word of the product is what more is added to. */
        .macro  PIXEL v
        lsl     \v, \v, r4
        smull   r6, \v, \v, r5
        add     \v, \v, r3
        usat    \v, #8, \v, asr #16
        .endm

        .macro  ROWS name
        FUNCTION \name
        push    {r4-r11, lr}
        sub     sp, sp, #FRAME
        ldm     r0, {r4-r12}
        stm     sp, {r4-r12}
        add     r10, r10, r12, lsl #5
        str     r10, [sp, #LAST]
1:      subs    r12, r12, #UNROLLED     /* quads that have code and no weights: -quads modulo UNROLLED */
        bgt     1b
        rsb     r12, r12, #0
        movs    r0, #QUAD_BYTES
        adr     r1, 4f
        mla     r1, r12, r0, r1
        orr     r1, r1, #1
        str     r1, [sp, #ENTRY]
1:      ldr     r0, [sp, #X]            /* a word of y */
        ldr     r1, [sp, #TAPS]
        ldr     r2, [sp, #GATHERED]
        ldr     r12, [sp, #LAST]
2:      ldrh    r3, [r1]
        ldrh    r4, [r1, #2]
        ldrh    r5, [r1, #4]
        ldrh    r6, [r1, #6]
        ldr     r3, [r0, r3, lsl #2]
        ldr     r4, [r0, r4, lsl #2]
        ldr     r5, [r0, r5, lsl #2]
        ldr     r6, [r0, r6, lsl #2]
        adds    r1, r1, #8
        adds    r2, r2, #32
        SPREAD  r3, -32
        SPREAD  r4, -24
        SPREAD  r5, -16
        SPREAD  r6, -8
        cmp     r2, r12
        bne     2b
        ldr     r0, [sp, #Y]
        ldr     r1, [sp, #PROGRAM]
        str     r0, [sp, #Y_AT]
3:      ldrd    r8, r9, [r1], #8        /* a channel */
        ldr     r0, [sp, #GATHERED]
        mov     r10, r8
        mov     r11, r9
        ldr     pc, [sp, #ENTRY]
        .p2align 2
4:      QUAD
        QUAD
        QUAD
        QUAD
        QUAD
        ldr     r2, [sp, #LAST]
        cmp     r0, r2
        bne     4b
5:      ldr     r2, [r1], #4
        cmp     r2, #0
        bne     6f
        ldm     r1!, {r3, r4}           /* more, scale */
        sub     r8, r8, r9, lsl #16
        sub     r10, r10, r11, lsl #16
        bic     r5, r4, #0xff           /* mult << 16: bits 8 to 15 are cleared too */
        bic     r5, r5, #0xff00
        PIXEL   r8
        PIXEL   r10
        PIXEL   r9
        PIXEL   r11
        ldr     r0, [sp, #Y_AT]
        ldr     r2, [sp, #PLANE]
        orr     r8, r8, r10, lsl #8
        orr     r8, r8, r9, lsl #16
        orr     r8, r8, r11, lsl #24
        str     r8, [r0]
        add     r0, r0, r2
        lsls    r4, r4, #24             /* carry: the last */
        str     r0, [sp, #Y_AT]
        bcc     3b
        ldr     r0, [sp, #X]
        ldr     r1, [sp, #X_STEP]
        ldr     r2, [sp, #Y]
        ldr     r3, [sp, #END]
        add     r0, r0, r1
        adds    r2, r2, #4
        str     r0, [sp, #X]
        str     r2, [sp, #Y]
        cmp     r2, r3
        bne     1b
        add     sp, sp, #FRAME
        pop     {r4-r11, pc}
6:      ldr     r0, [sp, #GATHERED]     /* taps once more */
        subs    r0, r0, #32
        add     r0, r0, r2
        QUAD
        b       5b
        .size   \name, . - \name
        .endm

#endif
#endif
