/* kronecker_dsp.h - blocks of kronecker, for cores with the DSP extension: four products an instruction.
 *
 *     r4-r11   sums of 64 bits of four words; of three r4-r9      r0  weights of a group
 *     r12      the program                                        r1-r3, lr  its pixels
 *
 * Pixels are gathered in the stack frame. The frame has \most groups, of which a layer may have fewer: code is entered
 * behind the first ones, with r12 as far in front of the program.
 *
 * A sum is s0 + 2^21 s1 + 2^42 s2, each within +-2^19, in l and h. Negative digits borrow from the next: bit 20 of l
 * says so for s0, and shifted out it is the carry that is added to s1; bit 9 of h says so for s1 less the borrow, and
 * rounding h / 2^10 gives it back to s2.
 */
/* clang-format off */
#ifndef MCUGEN_KRONECKER_DSP_H
#define MCUGEN_KRONECKER_DSP_H
#ifdef __ASSEMBLER__

#include "mcugen.h"

/* struct mcugen_kronecker_job, and the frame: what follows of it for a block. */
        .equ    BLOCKS, 36

        .equ    CARRY, 0                /* of the channel */
        .equ    Y, 4
        .equ    END, 8
        .equ    PLANE, 12
        .equ    ENTRY, 16               /* code of a channel's second group */
        .equ    NEXT, 20                /* bytes of a channel of the program */
        .equ    JOB, 24
        .equ    INDEX, 28               /* of the block, from the right */
        .equ    HERE, 32                /* what is gathered */

/* Of four bytes, with a step of 2: words of columns j and j + 1. The lower pixel is added by UXTAB, the upper one shifted to
 * bit 21; lr is its mask.
 */
        .macro  SPREAD2 x, at, words
        and     r7, lr, \x, lsl #5
        and     r8, lr, \x, lsr #3
        uxtab   r7, r7, \x
        uxtab   r8, r8, \x, ror #8
        str     r7, [r2, #4 * (\at)]
        str     r8, [r2, #4 * (\at) + 4 * \words]
        .endm

/* With a step of 1: two words. */
        .macro  SPREAD1 x, at
        and     r7, lr, \x, lsl #13
        and     r8, lr, \x, lsr #3
        uxtab   r7, r7, \x
        uxtab   r8, r8, \x, ror #16
        str     r7, [r2, #4 * (\at)]
        str     r8, [r2, #4 * (\at) + 4]
        .endm

/* The two words one column on; the last pixel is the first of \next. */
        .macro  BETWEEN x, next, at
        and     r7, lr, \x, lsl #5
        and     r8, lr, \next, lsl #21
        uxtab   r7, r7, \x, ror #8
        uxtab   r8, r8, \x, ror #24
        str     r7, [r2, #4 * (\at)]
        str     r8, [r2, #4 * (\at) + 4]
        .endm

/* Pixels of all runs: r4 the table, r5 the place, r6 runs; Z: a run has one group. r0, r1, r3 and r7-r10 are lost. */
        .macro  GATHER words, step
        mov     lr, #0x1fe00000
        add     r6, r4, r6, lsl #2
        .if     \step == 1
        bne     7f
6:      ldr     r3, [r4], #4            /* one group */
        add     r3, r3, r5
        cmp     r4, r6
        ldr     r0, [r3]
        .if     \words == 4
        ldr     r1, [r3, #4]
        SPREAD1 r0, 0
        SPREAD1 r1, 2
        .else
        ldrh    r1, [r3, #4]
        SPREAD1 r0, 0
        and     r7, lr, r1, lsl #13
        uxtab   r7, r7, r1
        str     r7, [r2, #8]
        .endif
        add     r2, r2, #4 * \words
        bne     6b
        b       8f
        .endif
7:      ldr     r3, [r4], #4            /* two */
        add     r3, r3, r5
        cmp     r4, r6
        ldr     r0, [r3]
        .if     \step == 2
        ldr     r1, [r3, #4]
        ldr     r9, [r3, #8]
        .if     \words == 4
        ldr     r10, [r3, #12]
        .endif
        SPREAD2 r0, 0, \words
        SPREAD2 r1, 1, \words
        SPREAD2 r9, 2, \words
        .if     \words == 4
        SPREAD2 r10, 3, \words
        .endif
        .elseif \words == 4
        ldr     r1, [r3, #4]
        ldrb    r9, [r3, #8]
        SPREAD1 r0, 0
        SPREAD1 r1, 2
        BETWEEN r0, r1, 4
        BETWEEN r1, r9, 6
        .else
        ldrh    r1, [r3, #4]
        ldrb    r9, [r3, #6]
        SPREAD1 r0, 0
        BETWEEN r0, r1, 3
        and     r7, lr, r1, lsl #13
        lsl     r8, r9, #21
        uxtab   r7, r7, r1
        uxtab   r8, r8, r1, ror #8
        str     r7, [r2, #8]
        str     r8, [r2, #20]
        .endif
        add     r2, r2, #8 * \words
        bne     7b
8:
        .endm

/* Two taps of two pixels in each word: 6 + 4 cycles for four words, 5 + 3 for three. */
        .macro  GROUP words, at, multiply=smlal
        ldr.w   r0, [r12, #4 * (\at)]
        ldr.w   r1, [sp, #HERE + 4 * \words * (\at)]
        ldr.w   r2, [sp, #HERE + 4 * \words * (\at) + 4]
        ldr.w   r3, [sp, #HERE + 4 * \words * (\at) + 8]
        .if     \words == 4
        ldr.w   lr, [sp, #HERE + 4 * \words * (\at) + 12]
        .endif
        \multiply r4, r5, r0, r1
        \multiply r6, r7, r0, r2
        \multiply r8, r9, r0, r3
        .if     \words == 4
        \multiply r10, r11, r0, lr
        .endif
        .endm

/* Three groups of three words, with r0 the weights of the first one, and then of the next: 12 + 2 + 9 cycles. */
        .macro  GROUPS3 at
        ldr.w   r1, [sp, #HERE + 12 * (\at)]
        ldr.w   r2, [sp, #HERE + 12 * (\at) + 4]
        ldr.w   r3, [sp, #HERE + 12 * (\at) + 8]
        ldr.w   r10, [r12, #4 * (\at) + 4]
        ldr.w   r11, [sp, #HERE + 12 * (\at) + 12]
        ldr.w   lr, [sp, #HERE + 12 * (\at) + 16]
        smlal   r4, r5, r0, r1
        smlal   r6, r7, r0, r2
        smlal   r8, r9, r0, r3
        smlal   r4, r5, r10, r11
        smlal   r6, r7, r10, lr
        ldr.w   r1, [sp, #HERE + 12 * (\at) + 20]
        ldr.w   r2, [r12, #4 * (\at) + 8]
        ldr.w   r3, [sp, #HERE + 12 * (\at) + 24]
        ldr.w   r11, [sp, #HERE + 12 * (\at) + 28]
        ldr.w   lr, [sp, #HERE + 12 * (\at) + 32]
        ldr.w   r0, [r12, #4 * (\at) + 12]
        smlal   r8, r9, r10, r1
        smlal   r4, r5, r2, r3
        smlal   r6, r7, r2, r11
        smlal   r8, r9, r2, lr
        .endm

/* Digits of a word, << 12: s1 in \l; s2, not shifted, in \h; with s0 the one of the word before is whole, in \before.
 * r2 = 2^22.
 */
        .macro  DIGITS l, h, before
        lsls    r3, \l, #12
        lsr     \l, \l, #21
        adc     \l, \l, \h, lsl #11
        add     \before, r3, \before, lsl #12
        lsl     \l, \l, #12
        smmulr  \h, \h, r2
        .endm

        .macro  PIXEL v
        smmla   \v, \v, r0, r1
        .endm

        .macro  CLAMP v
        usat    \v, #8, \v, asr #16
        .endm

/* Registers are saved; 0: the frame is filled for a block, pixels are gathered; r12 is the program. */
        .macro  BEGIN words, step, most, exact
        push    {r4-r11, lr}
        sub     sp, sp, #HERE + 4 * \words * \most
        movs    r3, #0
        str     r0, [sp, #JOB]
0:      str     r3, [sp, #INDEX]
        ldm     r0, {r4-r12}            /* rows, at, runs, program, groups, carry, y, end, plane */
        .if     \words == 3
        add     r3, r3, r3, lsl #1
        .else
        lsl     r3, r3, #2
        .endif
        sub     r5, r5, r3, lsl #\step
        sub     r10, r10, r3, lsl #3
        sub     r11, r11, r3, lsl #3
        stm     sp, {r9-r12}
        .if     \exact
        mov     r12, r7
        add     r2, sp, #HERE
        .if     \step == 1
        cmp     r6, r8
        .endif
        .else
        add     r0, r8, #2
        lsl     r0, r0, #2
        rsb     r3, r8, #\most          /* groups that have code and no weights */
        adr     r1, 4f
        movs    r2, #4 + 8 * \words
        mla     r1, r3, r2, r1
        orr     r1, r1, #1
        strd    r1, r0, [sp, #ENTRY]
        sub     r12, r7, r3, lsl #2
        add     r2, sp, #HERE
        movs    r0, #4 * \words
        mla     r2, r3, r0, r2
        .if     \step == 1
        cmp     r6, r8
        .endif
        .endif
        GATHER  \words, \step
        .endm

        .macro  BLOCK name, words, step, most=20, exact=0
        FUNCTION \name
        BEGIN   \words, \step, \most, \exact
3:      GROUP   \words, (\most - 1), smull
        .if     \exact == 0
        ldr     pc, [sp, #ENTRY]
        .p2align 2
4:
        .endif
        .set    i, 0
        .rept   \most - 1
        GROUP   \words, i
        .set    i, i + 1
        .endr
        ldr     r3, [sp, #CARRY]
        ldr     r0, [r12, #4 * \most]
        ldr     r1, [r12, #4 * \most + 4]
        ldr     lr, [r3]
        lsls    r2, r4, #12
        str     r2, [r3], #4
        str     r3, [sp, #CARRY]
        mov     r2, #1 << 22
        lsr     r4, r4, #21
        adc     r4, r4, r5, lsl #11
        smmulr  r5, r5, r2
        lsl     r4, r4, #12
        DIGITS  r6, r7, r5
        DIGITS  r8, r9, r7
        .if     \words == 4
        DIGITS  r10, r11, r9
        add     r11, lr, r11, lsl #12
        .else
        add     r9, lr, r9, lsl #12
        .endif
        .irp    v, r4, r5, r6, r7, r8, r9
        PIXEL   \v
        .endr
        .if     \words == 4
        PIXEL   r10
        PIXEL   r11
        .endif
        ldr     r2, [sp, #Y]
        ldr     r3, [sp, #PLANE]
        ldr     r0, [sp, #END]
        .if     \exact == 0
        ldr     r1, [sp, #NEXT]
        .endif
        .irp    v, r4, r5, r6, r7, r8, r9
        CLAMP   \v
        .endr
        strb    r4, [r2]
        strb    r5, [r2, #4]
        strb    r6, [r2, #8]
        strb    r7, [r2, #12]
        strb    r8, [r2, #16]
        strb    r9, [r2, #20]
        .if     \words == 4
        CLAMP   r10
        CLAMP   r11
        strb    r10, [r2, #24]
        strb    r11, [r2, #28]
        .endif
        add     r2, r2, r3
        .if     \exact
        add     r12, r12, #4 * \most + 8
        .else
        add     r12, r12, r1
        .endif
        str     r2, [sp, #Y]
        cmp     r2, r0
        bne     3b
        ldr     r0, [sp, #JOB]
        ldr     r3, [sp, #INDEX]
        ldr     r1, [r0, #BLOCKS]
        adds    r3, r3, #1
        cmp     r3, r1
        bne     0b
        add     sp, sp, #HERE + 4 * \words * \most
        pop     {r4-r11, pc}
        .size   \name, . - \name
        .endm

/* The only block of a row: five places, exactly \most = 3 n + 2 groups. */
        .macro  FIVE name, step, most
        FUNCTION \name
        BEGIN   3, \step, \most, 1
3:      ldr     r0, [r12]
        ldr     r1, [sp, #HERE]
        ldr     r2, [sp, #HERE + 4]
        ldr     r3, [sp, #HERE + 8]
        ldr     r10, [r12, #4]
        smull   r4, r5, r0, r1
        smull   r6, r7, r0, r2
        smull   r8, r9, r0, r3
        mov     r0, r10
        .set    i, 1
        .rept   (\most - 2) / 3
        GROUPS3 i
        .set    i, i + 3
        .endr
        ldr     r1, [sp, #HERE + 12 * (\most - 1)]
        ldr     r2, [sp, #HERE + 12 * (\most - 1) + 4]
        ldr     r3, [sp, #HERE + 12 * (\most - 1) + 8]
        ldr     r10, [r12, #4 * \most]
        ldr     r11, [r12, #4 * \most + 4]
        smlal   r4, r5, r0, r1
        smlal   r6, r7, r0, r2
        smlal   r8, r9, r0, r3
        mov     r2, #1 << 22
        lsls    r3, r4, #12
        lsr     r4, r4, #21
        adc     r4, r4, r5, lsl #11
        smmulr  r5, r5, r2
        lsl     r4, r4, #12
        DIGITS  r6, r7, r5
        lsls    r3, r8, #12
        lsr     r8, r8, #21
        adc     r8, r8, r9, lsl #11
        add     r7, r3, r7, lsl #12
        lsl     r8, r8, #12
        ldr     r2, [sp, #Y]
        ldr     r3, [sp, #PLANE]
        ldr     r1, [sp, #END]
        .irp    v, r4, r5, r6, r7, r8
        smmla   \v, \v, r10, r11
        .endr
        .irp    v, r4, r5, r6, r7, r8
        CLAMP   \v
        .endr
        strb    r4, [r2]
        strb    r5, [r2, #4]
        strb    r6, [r2, #8]
        strb    r7, [r2, #12]
        strb    r8, [r2, #16]
        add     r2, r2, r3
        add     r12, r12, #4 * \most + 8
        cmp     r2, r1
        str     r2, [sp, #Y]
        bne     3b
        add     sp, sp, #HERE + 12 * \most
        pop     {r4-r11, pc}
        .size   \name, . - \name
        .endm

#endif
#endif
