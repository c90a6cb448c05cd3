/* sparse_rice_m0.S - the Rice code of a channel's weights to its program, for Armv6-M.
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
 * What it makes of a code, and groups of offsets, are as in sparse_rice_thumb2.S; but zeros are counted one by one, and a
 * weight that lies in a later channel keeps its one and what follows it.
 *
 * Cycles of the Cortex-M0+: 22 a weight and 7 a zero of its high part, the first 9; a halfword read 11, another pixel of
 * the kernel 17.
 */
/* clang-format off */
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
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

        FUNCTION mcugen1_sparse_rice
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        mov     r7, r11
        push    {r4-r7}
        sub     sp, sp, #FRAME
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
        movs    r5, #13
        strh    r5, [r2, #4]
        subs    r6, r2, #4
        adds    r0, r2, #6
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

.Lplus_group:
        movs    r3, #15
        strh    r3, [r0]
        adds    r0, r0, #2
        b       .Lplus_1
.Lplus:
        lsls    r3, r0, #27
        beq     .Lplus_group
.Lplus_1:
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
        lsls    r3, r6, #27
        beq     .Lminus_group
.Lminus_1:
        strh    r4, [r6]
        subs    r6, r6, #2
        cmp     r2, #0
        bpl     .Lready
        b       .Lrefill
.Lminus_group:
        movs    r3, #15
        strh    r3, [r6]
        subs    r6, r6, #2
        b       .Lminus_1

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
9:      add     sp, sp, #FRAME
        pop     {r4-r7}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
        pop     {r4-r7, pc}
        .size   mcugen1_sparse_rice, . - mcugen1_sparse_rice
#endif
