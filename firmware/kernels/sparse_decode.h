/* sparse_decode.h - assembler macros: what the decoders of `sparse` share, to write a channel's program into scratch.
 *
 * A decoder is ENTER, what it has of its own, LOAD, its loop, TAP, a branch to the loop, LEAVE. Throughout
 *
 *                              Armv7-M     Armv6-M
 *     next halfword of the code  r0          r12
 *     r1, r2                     what is stored in `bits` and `spare`
 *     r5                         weights from this one to the last channel of its tap, one pixel of the kernel; and what is
 *                                stored in `rest`
 *     words of a channel of x    r9          r10
 *     offset of the last one     r10         r11     of the tap
 *     where the next 1 goes      r11         r0
 *     where the next -1 goes     r12         r6
 *
 * Groups of offsets with their token fill 32 bytes each, so that an address tells the end of a group, before a weight is
 * written: tokens of full groups are written in passing. The first token upwards is 4 bytes behind the middle and has 13
 * offsets at most; downwards the first group has room for one more offset, that of the first 1. All offsets are modulo
 * 2^16.
 */
/* clang-format off */
#ifndef MCUGEN_SPARSE_DECODE_H
#define MCUGEN_SPARSE_DECODE_H
#ifdef __ASSEMBLER__

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
        .equ    PLUS_END, 24    /* behind the frame, where lists have no groups: the function's last argument */

#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2

/* r1 = decoder, r4 = channels of x, r6 = MCUGEN_RICE_K. r3, r5, r7, r8, lr are free. groups = 0: lists are offsets only,
 * which begin at the middle and below it, wherever that lies.
 */
        .macro  ENTER groups=1
        push    {r4-r11, lr}
        sub     sp, sp, #FRAME
        ldr     r3, [r0, #36]
        ldrh    r6, [r3, #K]
        ldrh    r4, [r3, #CHANNELS]
        ldrh    r9, [r3, #PLANE]
        ldrh    r5, [r3, #COLUMNS]
        ldrh    r7, [r3, #ROWS]
        ldrh    r8, [r3, #MIDDLE]
        strd    r1, r3, [sp, #DECODER]
        .if     \groups
        adds    r2, r2, #31
        bic     r2, r2, #31
        .endif
        add     r2, r2, r8, lsl #5
        strd    r4, r2, [sp, #C]
        strd    r5, r7, [sp, #COLUMNS_LEFT]
        .if     \groups
        movs    r3, #13
        strh    r3, [r2, #4]
        sub     r12, r2, #4
        add     r11, r2, #6
        .else
        sub     r12, r2, #2
        mov     r11, r2
        .endif
        sub     r10, r4, #1
        mul     r10, r10, r9
        .endm

        .macro  LOAD
        ldr     r0, [r1, #WEIGHTS]
        ldr     r5, [r1, #REST]
        ldrd    r1, r2, [r1, #BITS]
        .endm

/* .Ltap: the weight lies in a later tap, for which r5 < 0. */
        .macro  TAP
.Ltap:
        ldrd    r3, r4, [sp, #COLUMNS_LEFT]
        ldr     lr, [sp, #PACKING]
        subs    r3, r3, #1
        beq     .Lrow
        str     r3, [sp, #COLUMNS_LEFT]
        ldrh    r3, [lr, #COLUMN]
.Ltap_1:
        ldr     r4, [sp, #C]
        add     r10, r10, r3
        adds    r5, r5, r4
        bmi     .Ltap
        .endm

/* Behind the branch: the next row; or the weight lies in a later channel. Then lr = packing, r6 = decoder, r7 = the middle,
 * r11, r12 = where the next 1 and -1 would go, r5 = the channel's tail and r0-r2 its first halfwords; r3, r4, r8-r10 are
 * free.
 */
        .macro  DONE
.Lrow:
        subs    r4, r4, #1
        beq     .Ldone
        ldrh    r3, [lr, #COLUMNS]
        strd    r3, r4, [sp, #COLUMNS_LEFT]
        ldrh    r3, [lr, #ROW]
        b       .Ltap_1

.Ldone:
        ldr     r6, [sp, #DECODER]
        ldr     r7, [sp, #THERE]
        str     r0, [r6, #WEIGHTS]
        strd    r1, r2, [r6, #BITS]
        str     r5, [r6, #REST]

        ldr     r5, [r6, #TAILS]
        ldrh    r0, [r5]
        ldrh    r1, [r5, #2]
        ldrh    r2, [r5, #4]
        .endm

/* A tail of 3 halfwords, r0-r2, to where it is looked for: r5 = its shift, r2 = the same less 16. */
        .macro  UNPACK_TAIL
        orr     r1, r1, r2, lsl #16
        and     r5, r1, #31
        asrs    r1, r1, #5
        orr     r0, r0, r5, lsl #16
        subs    r2, r5, #16
        it      gt
        lslgt   r1, r1, r2
        strd    r0, r1, [r6]
        .endm

/* DONE, and r0 = the program. */
        .macro  LEAVE
        DONE                            /* r2 = the end, r3 = the centre */
        ldrh    r4, [lr, #OWN_CENTRES]
        ldrh    r3, [lr, #CENTRE]
        adds    r5, r5, #6
        cmp     r4, #0
        it      ne
        ldrhne  r3, [r5], #2
        str     r5, [r6, #TAILS]
        ldrh    r4, [lr, #END]
        UNPACK_TAIL
        cmp     r5, #16
        ite     hs
        movhs   r2, r4
        movlo   r2, #19

        movs    r0, #17                 /* between the lists: take the sums from the centre */
        strh    r0, [r7]
        strh    r3, [r7, #2]
        adds    r3, r7, #4              /* the first token upwards */
        sub     r4, r11, r3
        movs    r0, #0
        cmp     r4, #2
        beq     9f
        ldrh    r5, [r11, #-2]          /* the last 1 becomes the first, and 0 takes its place */
        strh    r0, [r11, #-2]
        sub     r0, r11, #4             /* the last group's token */
        bic     r0, r0, #31
        cmp     r0, r3
        it      lo
        movlo   r0, r3
        sub     r1, r11, r0
        lsrs    r1, r1, #1
        subs    r1, r1, #1
        strh    r1, [r0]
2:      strh    r2, [r11]
        strh    r5, [r7, #-2]

        and     r0, r12, #31            /* 30, less 2 for each offset of the lowest group */
        rsbs    r0, r0, #26
        ble     4f
        ldrh    r1, [r12, #2]           /* three or more: a token behind two of them */
        ldrh    r2, [r12, #4]
        lsrs    r0, r0, #1
        strh    r1, [r12]
        strh    r2, [r12, #2]
        strh    r0, [r12, #4]
        mov     r0, r12
3:      add     sp, sp, #FRAME
        pop     {r4-r11, pc}

4:      beq     5f
        subs    r0, r7, #4
        cmp     r0, r12
        beq     6f
        ldrh    r1, [r12, #6]           /* one: it takes the next group's first, which has a token of one less */
        movs    r0, #14
        strh    r1, [r12, #4]
        strh    r0, [r12, #6]
5:      add     r0, r12, #2             /* two: as they are */
        b       3b
6:      subs    r0, r7, #6              /* none, no weight is -1: any pixel, the first 1, sums = 0 */
        movs    r1, #0
        movs    r2, #18
        strh    r1, [r0]
        strh    r5, [r0, #2]
        strh    r2, [r0, #4]
        b       3b

9:      mov     r5, r0                  /* no weight is 1 */
        mov     r11, r3
        b       2b
        .endm

#elif defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)

/* r1 = decoder, r3 = packing. r2, r4, r5, r7-r9, r12 are free. groups = 0: lists are offsets only, which begin at the middle
 * and below it, and there is another argument.
 */
        .macro  ENTER groups=1
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
        .endm

        .macro  LOAD
        ldr     r4, [r1, #WEIGHTS]
        mov     r12, r4
        ldr     r2, [r1, #SPARE]
        ldr     r5, [r1, #REST]
        ldr     r1, [r1, #BITS]
        .endm

/* .Ltap: the weight lies in a later tap, for which r5 < 0. */
        .macro  TAP
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
        .endm

/* Behind the branch: the next row; or the weight lies in a later channel. rest: what is stored. Then r3 = decoder, r8, r9 =
 * where the next -1 and 1 would go; r4-r7 are free.
 */
        .macro  DONE rest=r5
.Lrow:
        ldr     r3, [sp, #ROWS_LEFT]
        subs    r3, r3, #1
        beq     .Ldone
        str     r3, [sp, #ROWS_LEFT]
        ldrh    r3, [r4, #COLUMNS]
        str     r3, [sp, #COLUMNS_LEFT]
        ldrh    r3, [r4, #ROW]
        b       .Ltap_1

.Ldone:
        mov     r8, r6
        mov     r9, r0
        ldr     r3, [sp, #DECODER]
        mov     r0, r12
        str     r0, [r3, #WEIGHTS]
        str     r1, [r3, #BITS]
        str     r2, [r3, #SPARE]
        str     \rest, [r3, #REST]
        .endm

        .macro  RETURN frame
        add     sp, sp, #\frame
        pop     {r4-r7}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
        pop     {r4-r7, pc}
        .endm

/* DONE, and r0 = the program. */
        .macro  LEAVE rest=r5
        DONE    \rest
        ldr     r7, [r3, #TAILS]        /* r1, r2 = the tail, r6 = the end, r1 = the centre then; r4 = packing */
        ldrh    r1, [r7]
        ldrh    r2, [r7, #2]
        ldrh    r5, [r7, #4]
        adds    r7, r7, #6
        lsls    r5, r5, #16
        orrs    r2, r2, r5
        movs    r5, #31
        ands    r5, r5, r2
        asrs    r2, r2, #5
        lsls    r6, r5, #16
        orrs    r1, r1, r6
        str     r1, [r3]
        movs    r6, #19
        subs    r5, r5, #16
        bmi     1f
        lsls    r2, r2, r5
        ldrh    r6, [r4, #END]
1:      str     r2, [r3, #4]
        ldrh    r1, [r4, #CENTRE]
        ldrh    r5, [r4, #OWN_CENTRES]
        cmp     r5, #0
        beq     2f
        ldrh    r1, [r7]
        adds    r7, r7, #2
2:      str     r7, [r3, #TAILS]

        ldr     r7, [sp, #THERE]
        movs    r5, #17                 /* between the lists: take the sums from the centre */
        strh    r5, [r7]
        strh    r1, [r7, #2]
        adds    r3, r7, #4              /* the first token upwards */
        mov     r0, r9
        movs    r5, #0
        subs    r4, r0, r3
        cmp     r4, #2
        beq     4f
        movs    r2, #0
        subs    r1, r0, #2
        ldrh    r5, [r1]                /* the last 1 becomes the first, and 0 takes its place */
        strh    r2, [r1]
        subs    r1, r1, #2              /* the last group's token */
        lsrs    r1, r1, #5
        lsls    r1, r1, #5
        cmp     r1, r3
        bhs     3f
        mov     r1, r3
3:      subs    r2, r0, r1
        lsrs    r2, r2, #1
        subs    r2, r2, #1
        strh    r2, [r1]
        b       5f
4:      mov     r0, r3                  /* no weight is 1 */
5:      strh    r6, [r0]
        subs    r1, r7, #2
        strh    r5, [r1]

        mov     r6, r8
        movs    r1, #31                 /* 30, less 2 for each offset of the lowest group */
        ands    r1, r1, r6
        movs    r0, #26
        subs    r0, r0, r1
        ble     6f
        ldrh    r1, [r6, #2]            /* three or more: a token behind two of them */
        ldrh    r2, [r6, #4]
        lsrs    r0, r0, #1
        strh    r1, [r6]
        strh    r2, [r6, #2]
        strh    r0, [r6, #4]
        mov     r0, r6
        b       9f
6:      beq     7f
        subs    r0, r7, #4
        cmp     r0, r6
        beq     8f
        ldrh    r1, [r6, #6]            /* one: it takes the next group's first, which has a token of one less */
        movs    r0, #14
        strh    r1, [r6, #4]
        strh    r0, [r6, #6]
7:      adds    r0, r6, #2              /* two: as they are */
        b       9f
8:      subs    r0, r7, #6              /* none, no weight is -1: any pixel, the first 1, sums = 0 */
        movs    r1, #0
        movs    r2, #18
        strh    r1, [r0]
        strh    r5, [r0, #2]
        strh    r2, [r0, #4]
9:      RETURN  FRAME
        .endm

#endif
#endif
#endif
