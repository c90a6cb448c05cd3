/* direct_m0.h - a strip of one or two words, for Armv6-M: a product an instruction, in a single cycle where the core has that.
 *
 *     r5-r7, r8    sums t0, t1, t2, t3 of the first word          r0   address of the row's first pixels
 *     r9-r12       of the second word                             r1   the row in the program
 *     r3, r4       a word of x, what is left of it                r2   a weight
 */
/* clang-format off */
#ifndef MCUGEN_DIRECT_M0_H
#define MCUGEN_DIRECT_M0_H
#ifdef __ASSEMBLER__

#include "direct_words_m0.h"

        .equ    LANES, 4

/* Behind direct_cores.h's part of the frame, three sums. */
        .equ    SUMS, 36
        .equ    FRAME, 52

/* 2 + 26 cycles for two words. */
        .macro  TAP tap, step, words
        ldr     r2, [r1, #4 + 4 * \tap]
        sxth    r2, r2
        ldr     r3, [r0, #4 * (\tap)]
        WORD    0, r2, r5, r6, r7, r8
        .if     \words == 2
        ldr     r3, [r0, #4 * (\tap + \step)]
        WORD    0, r2, r9, r10, r11, r12
        .endif
        .endm

/* A sum in r2 to a pixel in r4; r5 = more, r6 = mult, r7 = up. */
        .macro  UP_PIXEL word, shift
        lsls    r2, r2, r7
        PIXEL   r6, r5, r4, \word, \shift
        .endm

        .macro  STRIPS name, taps, step, words
        FUNCTION \name
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        mov     r7, r11
        push    {r4-r7}
        sub     sp, sp, #FRAME
        ldm     r0!, {r2-r5}
        mov     r1, sp
        stm     r1!, {r3-r5}
        ldm     r0!, {r3-r7}
        stm     r1!, {r3-r7}
        ldr     r0, [r0]
        str     r0, [r1]
        mov     r0, r2
1:      ldr     r1, [sp, #PROGRAM]
        movs    r5, #0
        movs    r6, #0
        movs    r7, #0
        mov     r8, r5
        mov     r9, r5
        mov     r10, r5
        mov     r11, r5
        mov     r12, r5
2:      ldr     r2, [r1]
        asrs    r2, r2, #1
        adds    r0, r0, r2
        TAP     0, \step, \words
        .if     \taps > 1
        TAP     1, \step, \words
        .endif
        .if     \taps > 2
        TAP     2, \step, \words
        .endif
        .if     \taps > 3
        TAP     3, \step, \words
        .endif
        .if     \taps > 4
        TAP     4, \step, \words
        .endif
        ldr     r2, [r1]
        adds    r1, r1, #4 + 4 * \taps
        lsrs    r2, r2, #1              /* carry: the last */
        bcs     3f
        b       2b
        ABOVE_WORD 0
3:      str     r5, [sp, #SUMS]
        str     r6, [sp, #SUMS + 4]
        str     r7, [sp, #SUMS + 8]
        ldr     r5, [sp, #MORE]
        ldr     r6, [sp, #SCALE]
        uxtb    r7, r6
        asrs    r6, r6, #16
        movs    r4, #0
        mov     r2, r8
        lsls    r1, r2, #8
        UP_PIXEL 0, 24
        ldr     r3, [sp, #SUMS + 8]
        subs    r2, r3, r1
        lsls    r1, r3, #8
        UP_PIXEL 0, 16
        ldr     r3, [sp, #SUMS + 4]
        subs    r2, r3, r1
        lsls    r1, r3, #8
        UP_PIXEL 0, 8
        ldr     r2, [sp, #SUMS]
        subs    r2, r2, r1
        UP_PIXEL 0, 0
        .if     \words == 2
        mov     r8, r4
        movs    r4, #0
        mov     r2, r12
        lsls    r1, r2, #8
        UP_PIXEL 1, 24
        mov     r3, r11
        subs    r2, r3, r1
        lsls    r1, r3, #8
        UP_PIXEL 1, 16
        mov     r3, r10
        subs    r2, r3, r1
        lsls    r1, r3, #8
        UP_PIXEL 1, 8
        mov     r2, r9
        subs    r2, r2, r1
        UP_PIXEL 1, 0
        ldr     r1, [sp, #Y]
        mov     r3, r8
        stm     r1!, {r3, r4}
        .else
        ldr     r1, [sp, #Y]
        stm     r1!, {r4}
        .endif
        str     r1, [sp, #Y]
        ldr     r2, [sp, #END]
        cmp     r1, r2
        beq     4f
        b       1b
        .if     \words == 2
        ABOVE_WORD 1
        .endif
4:      ldr     r3, [sp, #LAST]         /* a row of y is done */
        cmp     r1, r3
        beq     8f
        ldr     r3, [sp, #X_GAP]
        adds    r0, r0, r3
        ldr     r3, [sp, #Y_GAP]
        adds    r1, r1, r3
        str     r1, [sp, #Y]
        ldr     r3, [sp, #ROW_BYTES]
        adds    r2, r2, r3
        str     r2, [sp, #END]
        b       1b
8:      add     sp, sp, #FRAME
        pop     {r4-r7}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
        pop     {r4-r7, pc}
        .size   \name, . - \name
        .endm

#endif
#endif
