/* paired_rice_thumb2.S - the Rice code of a unit's lists to its program, for Armv7-M and Armv8-M Mainline.
 *
 *     r0        the next halfword of the code
 *     r1        bits read and not used yet, the next one in bit 31, zeros behind them
 *     r2        how many there are, less 16; not negative where a code begins
 *     r3        free
 *     r4        free; the weight's offset
 *     r5        weights from this one to the last channel of its tap, one pixel of the kernel: C - 1 - channel
 *     r6-r8     k + 1, 31 - k, 1 << k
 *     r9        words of a channel of x
 *     r10       offset of the tap's last channel
 *     r11       where the next offset goes
 *     r12       where it does not go: the group is full, or the list is a new one
 *     lr        of the table of taps, the next
 *
 * Codes are read as in sparse_rice_thumb2.h, but for the sign. Lists follow one another as the program has them, so
 * offsets are written upwards; the token of a group stands before its offsets and is written when these are. A list's
 * first offset stands before what ends the list before it.
 *
 * A weight takes 15.5 cycles on Cortex-M4 on average, a full group 23, a list 72, a halfword read 8, another tap 15.
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
#include "mcugen.h"

        .equ    CLEAR, 18

/* struct mcugen_sparse_decoder */
        .equ    WEIGHTS, 8
        .equ    BITS, 16

/* packing, of halfwords */
        .equ    K, 0
        .equ    CHANNELS, 2
        .equ    PLANE, 4
        .equ    TAPS, 6
        .equ    ALONE, 8
        .equ    OFFSETS, 10

/* The frame. */
        .equ    DECODER, 0
        .equ    FIRST, 4        /* of the program */
        .equ    C, 8            /* channels of x */
        .equ    TAP, 12         /* the table of taps, and its end */
        .equ    TAPS_END, 16
        .equ    OPS, 20         /* tokens that are still to be written */
        .equ    GROUP, 24       /* the group's token, or 0 where there is none yet */
        .equ    ENDED, 28       /* lists whose tokens are written with the next offset */
        .equ    LISTS, 32       /* still to be decoded */
        .equ    FRAME, 36       /* with 9 registers a multiple of 8 */

        .macro  DECODE
        lsl     r1, r1, r3
        mls     r5, r3, r8, r5
        asr     r4, r1, r7
        adds    r5, r5, r4
        bmi     .Ltap
        .endm

        .macro  PLACE
        mls     r4, r5, r9, r10
        lsl     r1, r1, r6
        .endm

        .macro  WRITE
        cmp     r11, r12
        beq     .Lspecial
        strh    r4, [r11], #2
        .endm

        .macro  NEXT
        clz     r3, r1
        add     r4, r3, r6
        subs    r2, r2, r4
        blt     .Lrefill
        DECODE
        .endm

        .macro  REFILL
        ldrh    r3, [r0], #2
        rsb     r4, r2, #0
        add     r2, r2, #16
        lsl     r3, r3, r4
        orr     r1, r1, r3
        .endm

        FUNCTION mcugen1_paired_rice
        push    {r4-r11, lr}
        sub     sp, sp, #FRAME
        ldr     r4, [r0, #36]
        str     r1, [sp, #DECODER]
        str     r3, [sp, #FIRST]
        mov     r11, r3
        mov     r12, r3
        ldrh    r6, [r4, #K]
        ldrh    r3, [r4, #CHANNELS]
        ldrh    r9, [r4, #PLANE]
        ldrh    r5, [r4, #TAPS]
        ldrh    r7, [r4, #ALONE]
        add     r4, r4, #OFFSETS
        add     r5, r4, r5, lsl #1
        str     r3, [sp, #C]
        strd    r4, r5, [sp, #TAP]
        cmp     r2, #0
        ite     eq
        addeq   r5, r5, r7, lsl #1
        movne   r2, #6
        add     r2, r2, #2
        mov     r3, #0
        strd    r5, r3, [sp, #OPS]
        strd    r3, r2, [sp, #ENDED]
        rsb     r7, r6, #31
        mov     r8, #1
        lsl     r8, r8, r6
        add     r6, r6, #1
        ldr     r0, [r1, #WEIGHTS]
        ldrd    r1, r2, [r1, #BITS]
        cmp     r2, #0
        bge     .Llist
        REFILL

.Llist:
        ldr     lr, [sp, #TAP]
        ldr     r5, [sp, #C]
        ldrh    r10, [lr], #2
.Lnext:
        NEXT
.Lplace:
        PLACE
.Lwrite:
        WRITE
        NEXT
        PLACE
        WRITE
        NEXT
        PLACE
        WRITE
        NEXT
        PLACE
        WRITE
        b       .Lnext

/* Fewer than 16 bits will be left behind this code, or it is not there as a whole. */
.Lrefill:
        cmn     r2, #16
        blt     .Llong
        DECODE
.Lplace_refill:
        lsl     r1, r1, r6
        REFILL
        mls     r4, r5, r9, r10
        b       .Lwrite

/* Zeros that are there are counted, then a halfword is read. */
.Llong:
        add     r2, r2, r4
        add     r4, r2, #16
        cmp     r3, r4
        it      gt
        movgt   r3, r4
        lsl     r1, r1, r3
        mls     r5, r3, r8, r5
        subs    r2, r2, r3
        bpl     .Lnext
        REFILL
        b       .Lnext

/* The weight lies in a later tap, or behind the list. */
.Ltap:
        ldr     r3, [sp, #TAPS_END]
        ldr     r4, [sp, #C]
        cmp     lr, r3
        beq     .Lended
        ldrh    r10, [lr], #2
        adds    r5, r5, r4
        bmi     .Ltap
        cmp     r2, #0
        bge     .Lplace
        b       .Lplace_refill

.Lended:
        lsl     r1, r1, r6
        cmp     r2, #0
        bge     1f
        REFILL
1:      ldrd    r3, r4, [sp, #ENDED]
        add     r3, r3, #1
        subs    r4, r4, #1
        strd    r3, r4, [sp, #ENDED]
        mov     r12, r11
        bne     .Llist
        mov     r4, #0                  /* behind the last weight */

/* r4 = an offset that begins the program, or a group, or that is the first one of a list. */
.Lspecial:
        ldrd    r12, r3, [sp, #GROUP]
        cmp     r12, #0
        beq     .Lstart
        cmp     r3, #0
        beq     .Lgroup
        sub     r3, r11, r12
        cmp     r3, #34
        beq     5f
2:      strh    r4, [r11], #2
        sub     r3, r11, r12
        lsr     r3, r3, #1
        sub     r3, r3, #1
        strh    r3, [r12]

.Ltokens:                               /* of the lists that have ended; then a group begins */
        ldr     r3, [sp, #OPS]
        ldr     r12, [sp, #ENDED]
        subs    r12, r12, #1
        bmi     4f
3:      ldrh    r4, [r3], #2
        strh    r4, [r11], #2
        cmp     r4, #17
        itt     eq
        ldrheq  r4, [r3], #2
        strheq  r4, [r11], #2
        subs    r12, r12, #1
        bpl     3b
        str     r3, [sp, #OPS]
        ldr     r4, [sp, #LISTS]
        cbz     r4, .Ldone
4:      mov     r3, #0
        str     r3, [sp, #ENDED]
        str     r11, [sp, #GROUP]
        add     r11, r11, #2
        add     r12, r11, #32
        b       .Lnext

.Lgroup:                                /* full; another one begins */
        mov     r3, #16
        strh    r3, [r12]
        str     r11, [sp, #GROUP]
        add     r11, r11, #2
        strh    r4, [r11], #2
        add     r12, r11, #30
        b       .Lnext

5:      mov     r3, #16                 /* full, and the list has ended */
        strh    r3, [r12]
        mov     r12, r11
        add     r11, r11, #2
        b       2b

.Lstart:
        ldr     r12, [sp, #FIRST]
        cmp     r11, r12
        bne     6f
        cbnz    r3, 7f
        strh    r4, [r11], #2           /* sets the sums, by no token */
        mov     r12, r11
        b       .Lnext
6:      strh    r4, [r11], #2
        b       .Ltokens
7:      mov     r12, #0                 /* any pixel, then sums = 0 */
        strh    r12, [r11], #2
        strh    r4, [r11], #2
        mov     r12, #CLEAR
        strh    r12, [r11], #2
        b       .Ltokens

.Ldone:
        ldr     r3, [sp, #DECODER]
        str     r0, [r3, #WEIGHTS]
        strd    r1, r2, [r3, #BITS]
        ldr     r0, [sp, #FIRST]
        add     sp, sp, #FRAME
        pop     {r4-r11, pc}
        .size   mcugen1_paired_rice, . - mcugen1_paired_rice
#endif
