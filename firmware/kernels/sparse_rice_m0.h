/* sparse_rice_m0.h - assembler macros: a Rice code of a channel's weights to lists of offsets, for Armv6-M.
 *
 *     r0        where the next 1 goes; the list grows upwards
 *     r1        bits read and not used yet, the next one in bit 31, zeros behind them
 *     r2        how many there are, less 16; not negative where a code begins, nor at its one
 *     r3, r4    free; r4 = the weight's offset
 *     r5        weights from this one to the last channel of its tap, one pixel of the kernel: C - 1 - channel
 *     r6        where the next -1 goes; the list grows downwards
 *     r7-r9     31 - k, 1 << k, k + 2
 *     r10       words of a channel of x
 *     r11       offset of the tap's last channel
 *     r12       the next halfword of the code
 *
 * What it makes of a code is as in sparse_rice_thumb2.S; but zeros are counted one by one, and a weight that lies in a
 * later channel keeps its one and what follows it.
 *
 * Cycles of the Cortex-M0+: 22 a weight, 20 without groups, and 7 a zero of its high part, the first 9; a halfword read 11,
 * another pixel of the kernel 17.
 */
/* clang-format off */
#ifndef MCUGEN_SPARSE_RICE_M0_H
#define MCUGEN_SPARSE_RICE_M0_H
#if defined(__ASSEMBLER__) && (defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__))

#include "mcugen.h"

/* struct mcugen_sparse_decoder */
        .equ    WEIGHTS, 8
        .equ    TAILS, 12
        .equ    BITS, 16
        .equ    SPARE, 20
        .equ    REST, 24

/* The frame. */
        .equ    DECODER, 0
        .equ    PACKING, 4      /* of halfwords, as MCUGEN_RICE_K ... count them: */
        .equ    K, 0
        .equ    CHANNELS, 2
        .equ    PLANE, 4
        .equ    COLUMNS, 6
        .equ    ROWS, 8
        .equ    COLUMN, 10
        .equ    ROW, 12
        .equ    CENTRE, 14
        .equ    MIDDLE, 16
        .equ    END, 18
        .equ    OWN_CENTRES, 20
        .equ    C, 8            /* channels of x */
        .equ    THERE, 12       /* the middle */
        .equ    COLUMNS_LEFT, 16
        .equ    ROWS_LEFT, 20
        .equ    FRAME, 24       /* with 9 registers 4 more than a multiple of 8; nothing is called */
        .equ    PLUS_END, 24    /* without groups: the last argument */

/* A function up to the end of a channel, where its state is in the decoder: r3 = decoder, r4-r7 free, r8 = where the next -1
 * would go, r9 = where the next 1. THERE has the middle. groups: lists have tokens of lists16, from THERE on and below;
 * else they are offsets only, which begin at THERE and below it, and there is another argument.
 */
        .macro  RICE_DECODE name, groups
        FUNCTION \name
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        mov     r7, r11
        push    {r4-r7}
        .if     \groups
        sub     sp, sp, #FRAME
        .else
        sub     sp, sp, #FRAME + 8
        str     r3, [sp, #PLUS_END]
        .endif
        ldr     r3, [r0, #36]
        str     r1, [sp, #DECODER]
        str     r3, [sp, #PACKING]
        ldrh    r4, [r3, #CHANNELS]
        str     r4, [sp, #C]
        ldrh    r5, [r3, #COLUMNS]
        str     r5, [sp, #COLUMNS_LEFT]
        ldrh    r5, [r3, #ROWS]
        str     r5, [sp, #ROWS_LEFT]
        ldrh    r5, [r3, #MIDDLE]
        adds    r2, r2, #31
        lsrs    r2, r2, #5
        adds    r2, r2, r5
        lsls    r2, r2, #5
        str     r2, [sp, #THERE]
        .if     \groups
        movs    r5, #13
        strh    r5, [r2, #4]
        subs    r6, r2, #4
        adds    r0, r2, #6
        .else
        subs    r6, r2, #2
        movs    r0, r2
        .endif
        ldrh    r5, [r3, #PLANE]
        mov     r10, r5
        subs    r4, r4, #1
        muls    r4, r5, r4
        mov     r11, r4
        ldrh    r4, [r3, #K]
        movs    r7, #31
        subs    r7, r7, r4
        movs    r5, #1
        lsls    r5, r5, r4
        mov     r8, r5
        adds    r4, r4, #2
        mov     r9, r4
        ldr     r4, [r1, #WEIGHTS]
        mov     r12, r4
        ldr     r2, [r1, #SPARE]
        ldr     r5, [r1, #REST]
        ldr     r1, [r1, #BITS]
        ldr     r4, [sp, #C]
        cmp     r5, #0
        beq     1f
        adds    r5, r5, r4              /* the weight that the last channel did not have */
        bmi     .Ltap
        b       .Lplace
1:      mov     r5, r4
        cmp     r2, #0
        bpl     .Lready
        b       .Lrefill

        .if     \groups
.Lplus_group:
        movs    r3, #15
        strh    r3, [r0]
        adds    r0, r0, #2
        b       .Lplus_1
        .endif
.Lplus:
        .if     \groups
        lsls    r3, r0, #27
        beq     .Lplus_group
.Lplus_1:
        .endif
        strh    r4, [r0]
        adds    r0, r0, #2
        cmp     r2, #0
        bpl     .Lready
.Lrefill:
        mov     r3, r12
        ldrh    r4, [r3]
        adds    r3, r3, #2
        mov     r12, r3
        rsbs    r3, r2, #0
        lsls    r4, r4, r3
        orrs    r1, r1, r4
        adds    r2, r2, #16
        b       .Lready

.Lzero:                                 /* one more of 1 << k */
        mov     r3, r8
        subs    r5, r5, r3
        subs    r2, r2, #1
        bmi     .Lzero_refill
        lsls    r1, r1, #1
        bpl     .Lzero
.Lready:
        movs    r3, r1
        bpl     .Lzero
        asrs    r3, r3, r7
        adds    r5, r5, r3
        bmi     .Ltap
.Lplace:
        mov     r4, r10
        muls    r4, r5, r4
        mov     r3, r11
        subs    r4, r3, r4
        mov     r3, r9
        subs    r2, r2, r3
        lsls    r1, r1, r3              /* the sign is the carry */
        bcc     .Lplus
        .if     \groups
        lsls    r3, r6, #27
        beq     .Lminus_group
.Lminus_1:
        .endif
        strh    r4, [r6]
        subs    r6, r6, #2
        cmp     r2, #0
        bpl     .Lready
        b       .Lrefill
        .if     \groups
.Lminus_group:
        movs    r3, #15
        strh    r3, [r6]
        subs    r6, r6, #2
        b       .Lminus_1
        .endif

.Lzero_refill:
        lsls    r1, r1, #1
        mov     r3, r12
        ldrh    r4, [r3]
        adds    r3, r3, #2
        mov     r12, r3
        lsls    r4, r4, #1
        orrs    r1, r1, r4
        adds    r2, r2, #16
        b       .Lready

/* The weight lies in a later tap. */
.Ltap:
        ldr     r4, [sp, #PACKING]
        ldr     r3, [sp, #COLUMNS_LEFT]
        subs    r3, r3, #1
        beq     .Lrow
        str     r3, [sp, #COLUMNS_LEFT]
        ldrh    r3, [r4, #COLUMN]
.Ltap_1:
        add     r11, r11, r3
        ldr     r4, [sp, #C]
        adds    r5, r5, r4
        bmi     .Ltap
        b       .Lplace
.Lrow:
        ldr     r3, [sp, #ROWS_LEFT]
        subs    r3, r3, #1
        beq     .Ldone
        str     r3, [sp, #ROWS_LEFT]
        ldrh    r3, [r4, #COLUMNS]
        str     r3, [sp, #COLUMNS_LEFT]
        ldrh    r3, [r4, #ROW]
        b       .Ltap_1

/* Or in a later channel. r3 = decoder, r8, r9 = the lists' ends. */
.Ldone:
        mov     r8, r6
        mov     r9, r0
        ldr     r3, [sp, #DECODER]
        mov     r0, r12
        str     r0, [r3, #WEIGHTS]
        str     r1, [r3, #BITS]
        str     r2, [r3, #SPARE]
        str     r5, [r3, #REST]
        .endm

        .macro  RICE_RETURN frame
        add     sp, sp, #\frame
        pop     {r4-r7}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
        pop     {r4-r7, pc}
        .endm

#endif
#endif
