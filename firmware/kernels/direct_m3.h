/* direct_m3.h - a strip of one or two words, for Armv7-M without the DSP extension: a product an instruction.
 *
 *     r4-r7     sums t0, t1, t2, t3 of the first word             r3   address of the row's first pixels
 *     r8-r11    of the second word                                r12  the row in the program
 *     r0, r1    words of x; r2 what is left of one                lr   a weight
 *
 * direct_words_m0.h says what t0 to t3 are.
 */
/* clang-format off */
#ifndef MCUGEN_DIRECT_M3_H
#define MCUGEN_DIRECT_M3_H
#ifdef __ASSEMBLER__

        .equ    FRAME, 36

/* The word in \x times lr to the sums, 11 cycles. */
        .macro  WORD x, t0, t1, t2, t3
        lsr     r2, \x, #8
        mla     \t1, r2, lr, \t1
        lsr     r2, \x, #16
        mla     \t2, r2, lr, \t2
        lsr     r2, \x, #24
        mla     \t3, r2, lr, \t3
        mla     \t0, \x, lr, \t0
        .endm

/* 4 + 22 cycles. */
        .macro  TAP tap, step, words
        ldrsh   lr, [r12, #4 + 4 * \tap]
        ldr     r0, [r3, #4 * \tap]
        .if     \words == 2
        ldr     r1, [r3, #4 * (\tap + \step)]
        WORD    r1, r8, r9, r10, r11
        .endif
        WORD    r0, r4, r5, r6, r7
        .endm

/* acc << up times mult << 16: the upper word of the product is what more is added to. */
        .macro  PIXEL v
        lsl     \v, \v, r3
        smull   r2, \v, \v, r0
        add     \v, \v, r1
        usat    \v, #8, \v, asr #16
        .endm

        .macro  FINISH l0, l1, l2, l3
        sub     \l0, \l0, \l1, lsl #8
        sub     \l1, \l1, \l2, lsl #8
        sub     \l2, \l2, \l3, lsl #8
        PIXEL   \l0
        PIXEL   \l1
        PIXEL   \l2
        PIXEL   \l3
        orr     \l0, \l0, \l1, lsl #8
        orr     \l0, \l0, \l2, lsl #16
        orr     \l0, \l0, \l3, lsl #24
        .endm

        .macro  STRIPS name, taps, step, words
        FUNCTION \name
        push    {r4-r11, lr}
        sub     sp, sp, #FRAME
        ldm     r0, {r3-r12}
        stm     sp, {r4-r12}
        b       2f
1:      ldr     r12, [sp, #PROGRAM]
2:      movs    r4, #0
        movs    r5, #0
        movs    r6, #0
        movs    r7, #0
        .if     \words == 2
        mov     r8, r4
        mov     r9, r4
        mov     r10, r4
        mov     r11, r4
        .endif
3:      ldr     r0, [r12]
        asrs    r0, r0, #1              /* carry: the last */
        add     r3, r3, r0
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
        add     r12, r12, #4 + 4 * \taps
        bcc     3b
        ldrd    r0, r1, [sp, #SCALE]
        mov     r12, r3
        uxtb    r3, r0
        bfc     r0, #0, #16
        FINISH  r4, r5, r6, r7
        .if     \words == 2
        FINISH  r8, r9, r10, r11
        .endif
        mov     r3, r12
        NEXT_STRIP \words
        .size   \name, . - \name
        .endm

#endif
#endif
