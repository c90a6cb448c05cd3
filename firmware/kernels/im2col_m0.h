/* im2col_m0.h - a row of im2col by quads for Armv6-M: two products a multiplication.
 *
 *     r8, r9      sum of the words of lanes 0 and 2, sum of lane 2      r0   gathered pixels; lr  their end
 *     r10, r11    of lanes 1 and 3, of lane 3                           r1   the program
 *     r2, r3      words of a quad; r4, r5 of a tap; r6, r7 weights      r12  0x8000
 */
/* clang-format off */
#ifndef MCUGEN_IM2COL_M0_H
#define MCUGEN_IM2COL_M0_H
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
        .equ    Y_AT, 40                /* word of y of the channel */
        .equ    FRAME, 44

        .equ    UNROLLED, 5

/* A tap's word in \v to lanes 0 and 2, in \v, and 1 and 3, in \w; r5 = 0x00ff00ff, r6 = 0x00800080. 8 cycles. */
        .macro  SPREAD v, w
        lsrs    \w, \v, #8
        ands    \v, \v, r5
        ands    \w, \w, r5
        subs    \v, \v, r6
        subs    \w, \w, r6
        stm     r2!, {\v, \w}
        .endm

        .macro  TAP at
        ldrh    r3, [r1, #\at]
        lsls    r3, r3, #2
        ldr     r3, [r0, r3]
        SPREAD  r3, r4
        .endm

/* Four taps: 41 cycles, 64 bytes. No sum leaves 16 bits (im2col.h). */
        .macro  QUAD
        ldm     r1!, {r6}
        ldm     r0!, {r2-r5}
        sxtb    r7, r6
        muls    r2, r7, r2
        muls    r3, r7, r3
        asrs    r6, r6, #8
        sxtb    r7, r6
        muls    r4, r7, r4
        muls    r5, r7, r5
        adds    r2, r2, r4
        adds    r3, r3, r5
        ldm     r0!, {r4, r5}
        asrs    r6, r6, #8
        sxtb    r7, r6
        muls    r4, r7, r4
        muls    r5, r7, r5
        adds    r2, r2, r4
        adds    r3, r3, r5
        ldm     r0!, {r4, r5}
        asrs    r6, r6, #8
        muls    r4, r6, r4
        muls    r5, r6, r5
        adds    r2, r2, r4
        adds    r3, r3, r5
        add     r2, r2, r12
        add     r3, r3, r12
        add     r8, r8, r2
        add     r10, r10, r3
        asrs    r2, r2, #16
        asrs    r3, r3, #16
        add     r9, r9, r2
        add     r11, r11, r3
        .endm

/* A sum in r2 to a pixel in r2, 12 cycles within the limits; r5 = more, r6 = mult, r7 = ... up. With acc << up = 2^16 h + l
 * the product by mult, of which 16 bits are dropped, is h * mult + (l * mult >> 16); l * mult fits 32 bits.
 */
        .macro  PIXEL
        lsls    r2, r2, r7
        uxth    r3, r2
        asrs    r2, r2, #16
        muls    r2, r6, r2
        muls    r3, r6, r3
        asrs    r3, r3, #16
        adds    r2, r2, r3
        adds    r2, r2, r5
        asrs    r2, r2, #16
        lsrs    r3, r2, #8
        beq     9f
        asrs    r2, r2, #31             /* beyond the limits: 0 or 255 */
        mvns    r2, r2
        uxtb    r2, r2
9:
        .endm

        .macro  ROWS name
        FUNCTION \name
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        mov     r7, r11
        push    {r4-r7}
        sub     sp, sp, #FRAME
        mov     r1, sp
        ldm     r0!, {r2-r6}
        stm     r1!, {r2-r6}
        ldm     r0!, {r2-r5}
        stm     r1!, {r2-r5}
        mov     r0, r5                  /* quads that have code and no weights: -quads modulo UNROLLED */
1:      subs    r0, r0, #UNROLLED
        bgt     1b
        rsbs    r0, r0, #0
        lsls    r0, r0, #6
        adr     r1, 4f
        adds    r0, r0, r1
        adds    r0, r0, #1
        str     r0, [sp, #ENTRY]
        movs    r0, #1
        lsls    r0, r0, #15
        mov     r12, r0

1:      ldr     r0, [sp, #X]            /* a word of y */
        ldr     r1, [sp, #TAPS]
        ldr     r2, [sp, #GATHERED]
        ldr     r7, [sp, #QUADS]
        ldr     r5, =0x00ff00ff
        ldr     r6, =0x00800080
        lsls    r7, r7, #5
        adds    r7, r7, r2
        mov     lr, r7
2:      TAP     0
        TAP     2
        TAP     4
        TAP     6
        adds    r1, r1, #8
        cmp     r2, r7
        bne     2b
        ldr     r0, [sp, #Y]
        ldr     r1, [sp, #PROGRAM]
2:      str     r0, [sp, #Y_AT]         /* a channel */
        ldm     r1!, {r2, r3}
        mov     r8, r2
        mov     r9, r3
        mov     r10, r2
        mov     r11, r3
        ldr     r0, [sp, #GATHERED]
        ldr     r2, [sp, #ENTRY]
        bx      r2
        .p2align 2
4:      QUAD
        QUAD
        QUAD
        QUAD
        QUAD
        cmp     r0, lr
        beq     5f
        b       4b
5:      ldm     r1!, {r2}
        tst     r2, r2
        beq     6f
3:      ldr     r0, [sp, #GATHERED]     /* taps once more */
        subs    r0, r0, #32
        adds    r0, r0, r2
        QUAD
        ldm     r1!, {r2}
        tst     r2, r2
        bne     3b
6:      ldm     r1!, {r5, r6}
        mov     r7, r6                  /* its lowest byte is what shifts count */
        asrs    r6, r6, #16
        mov     r3, r9
        lsls    r3, r3, #16
        mov     r2, r8
        subs    r2, r2, r3
        PIXEL
        mov     r4, r2
        mov     r3, r11
        lsls    r3, r3, #16
        mov     r2, r10
        subs    r2, r2, r3
        PIXEL
        lsls    r2, r2, #8
        orrs    r4, r4, r2
        mov     r2, r9
        PIXEL
        lsls    r2, r2, #16
        orrs    r4, r4, r2
        mov     r2, r11
        PIXEL
        lsls    r2, r2, #24
        orrs    r4, r4, r2
        ldr     r0, [sp, #Y_AT]
        ldr     r2, [sp, #PLANE]
        str     r4, [r0]
        adds    r0, r0, r2
        lsls    r7, r7, #24             /* carry: the last */
        bcs     7f
        b       2b
7:      ldr     r0, [sp, #X]
        ldr     r1, [sp, #X_STEP]
        adds    r0, r0, r1
        str     r0, [sp, #X]
        ldr     r0, [sp, #Y]
        ldr     r1, [sp, #END]
        adds    r0, r0, #4
        str     r0, [sp, #Y]
        cmp     r0, r1
        beq     8f
        b       1b
8:      add     sp, sp, #FRAME
        pop     {r4-r7}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
        pop     {r4-r7, pc}
        .p2align 2
        .ltorg
        .size   \name, . - \name
        .endm

#endif
#endif
