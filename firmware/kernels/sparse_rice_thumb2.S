/* sparse_rice_thumb2.S - the Rice code of a channel's weights to its program, for Armv7-M and Armv8-M Mainline.
 *
 *     r0        the next halfword of the code
 *     r1        bits read and not used yet, the next one in bit 31, zeros behind them
 *     r2        how many there are, less 16; not negative where a code begins
 *     r3, r4    free; r4 = the weight's offset
 *     r5        weights from this one to the last channel of its tap, one pixel of the kernel: C - 1 - channel
 *     r6-r8     k + 2, 31 - k, 1 << k
 *     r9        words of a channel of x
 *     r10       offset of the tap's last channel
 *     r11       where the next 1 goes; the list grows upwards
 *     r12       where the next -1 goes; the list grows downwards
 *     lr        free
 *
 * A code has `high` zeros, a one, k inverted bits, the sign. Shifted to the one in bit 31, it is `low - 2^k` when
 * shifted right by 31 - k with the sign of its bit 31; so r5 -= (high << k) - (low - 2^k), which is the gap and 1.
 * Shifting it out leaves the sign in the carry.
 *
 * Groups of offsets with their token fill 32 bytes each, so that an address tells the end of a group, before a weight is
 * written: tokens of full groups are written in passing. The first token upwards is 4 bytes behind the middle and has 13
 * offsets at most; downwards the first group has room for one more offset, that of the first 1.
 *
 * A weight takes 14 cycles on Cortex-M4 and 1, 3 or 4 more to the copy of the loop that has its list, 17.2 on average; a
 * halfword read 11, another pixel of the kernel 22. Without DSP two MLS take a cycle more each. All offsets are modulo
 * 2^16; r5 stays above -2^31, because a tensor has fewer weights.
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
#include "mcugen.h"

/* struct mcugen_sparse_decoder */
        .equ    WEIGHTS, 8
        .equ    TAILS, 12
        .equ    BITS, 16
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

/* r5 of the weight behind the next code, and on if it lies in this tap, or to `tap`. */
        .macro  DECODE
        lsl     r1, r1, r3
        mls     r5, r3, r8, r5
        asr     r4, r1, r7
        adds    r5, r5, r4
        bmi     .Ltap
        .endm

/* r4 = its offset, carry = its sign. */
        .macro  PLACE
        mls     r4, r5, r9, r10
        lsls    r1, r1, r6
        .endm

        .macro  NEXT
        clz     r3, r1
        add     r4, r3, r6
        subs    r2, r2, r4
        blt     .Lrefill
        DECODE
        .endm

        HOT     mcugen1_sparse_rice
        .p2align 2
        HEAD    mcugen1_sparse_rice
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
        add     r2, r2, #31
        bic     r2, r2, #31
        add     r2, r2, r8, lsl #5
        strd    r4, r2, [sp, #C]
        strd    r5, r7, [sp, #COLUMNS_LEFT]
        mov     r3, #13
        strh    r3, [r2, #4]
        sub     r12, r2, #4
        add     r11, r2, #6
        sub     r10, r4, #1
        mul     r10, r10, r9
        rsb     r7, r6, #31
        mov     r8, #1
        lsl     r8, r8, r6
        add     r6, r6, #2
        ldr     r0, [r1, #WEIGHTS]
        ldr     r5, [r1, #REST]
        ldrd    r1, r2, [r1, #BITS]
        cbz     r5, .Lfresh
        adds    r5, r5, r4              /* the weight that the last channel did not have */
        bmi     .Ltap
        cmp     r2, #0
        bge     .Lplace
        b       .Lplace_refill
.Lfresh:
        mov     r5, r4
        b       .Ldecode

.Lplus:
        lsls    r3, r11, #27
        beq     .Lplus_group
.Lplus_1:
        strh    r4, [r11], #2
.Ldecode:
        NEXT
.Lplace:
        PLACE
        bcc     .Lplus
.Lminus:
        lsls    r3, r12, #27
        beq     .Lminus_group
.Lminus_1:
        strh    r4, [r12], #-2
        NEXT
        PLACE
        bcs     .Lminus
        b       .Lplus

.Lplus_group:
        mov     r3, #15
        strh    r3, [r11], #2
        b       .Lplus_1
.Lminus_group:
        mov     r3, #15
        strh    r3, [r12], #-2
        b       .Lminus_1

/* Fewer than 16 bits will be left behind this code, or it is not there as a whole. */
.Lrefill:
        cmn     r2, #16
        blt     .Llong
        DECODE
.Lplace_refill:
        PLACE
        ldrh    r3, [r0], #2
        rsb     lr, r2, #0
        add     r2, r2, #16
        lsl     r3, r3, lr
        orr     r1, r1, r3
        bcc     .Lplus
        b       .Lminus

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
        bpl     .Ldecode
        ldrh    r3, [r0], #2
        rsb     r4, r2, #0
        add     r2, r2, #16
        lsl     r3, r3, r4
        orr     r1, r1, r3
        b       .Ldecode

/* The weight lies in a later tap. */
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
        cmp     r2, #0
        bge     .Lplace
        b       .Lplace_refill
.Lrow:
        subs    r4, r4, #1
        beq     .Ldone
        ldrh    r3, [lr, #COLUMNS]
        strd    r3, r4, [sp, #COLUMNS_LEFT]
        ldrh    r3, [lr, #ROW]
        b       .Ltap_1

/* Or in a later channel. lr = packing, r10 = decoder, r9 = the middle. */
.Ldone:
        ldr     r10, [sp, #DECODER]
        ldr     r9, [sp, #THERE]
        str     r0, [r10, #WEIGHTS]
        strd    r1, r2, [r10, #BITS]
        str     r5, [r10, #REST]

        ldr     r8, [r10, #TAILS]       /* r0, r1 = the tail, r2 = the end, r3 = the centre */
        ldrh    r0, [r8]
        ldrh    r1, [r8, #2]
        ldrh    r2, [r8, #4]
        ldrh    r5, [lr, #OWN_CENTRES]
        ldrh    r3, [lr, #CENTRE]
        ldrh    r4, [lr, #END]
        add     r8, r8, #6
        cmp     r5, #0
        bne     8f
1:
        orr     r1, r1, r2, lsl #16
        and     r5, r1, #31
        asr     r1, r1, #5
        orr     r0, r0, r5, lsl #16
        subs    r6, r5, #16
        it      gt
        lslgt   r1, r1, r6
        strd    r0, r1, [r10]
        str     r8, [r10, #TAILS]
        cmp     r5, #16
        ite     hs
        movhs   r2, r4
        movlo   r2, #19

        mov     r0, #17                 /* between the lists: take the sums from the centre */
        strh    r0, [r9]
        strh    r3, [r9, #2]
        add     r3, r9, #4              /* the first token upwards */
        sub     r4, r11, r3
        mov     r0, #0
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
        lsr     r1, r1, #1
        sub     r1, r1, #1
        strh    r1, [r0]
2:      strh    r2, [r11]
        strh    r5, [r9, #-2]

        and     r0, r12, #31            /* 30, less 2 for each offset of the lowest group */
        rsbs    r0, r0, #26
        ble     4f
        ldrh    r1, [r12, #2]           /* three or more: a token behind two of them */
        ldrh    r2, [r12, #4]
        lsr     r0, r0, #1
        strh    r1, [r12]
        strh    r2, [r12, #2]
        strh    r0, [r12, #4]
        mov     r0, r12
3:      add     sp, sp, #FRAME
        pop     {r4-r11, pc}

4:      beq     5f
        sub     r0, r9, #4
        cmp     r0, r12
        beq     6f
        ldrh    r1, [r12, #6]           /* one: it takes the next group's first, which has a token of one less */
        mov     r0, #14
        strh    r1, [r12, #4]
        strh    r0, [r12, #6]
5:      add     r0, r12, #2             /* two: as they are */
        b       3b
6:      mov     r1, #0                  /* none, no weight is -1: any pixel, the first 1, sums = 0 */
        mov     r2, #18
        strh    r1, [r9, #-6]
        strh    r5, [r9, #-4]
        strh    r2, [r9, #-2]
        sub     r0, r9, #6
        b       3b

8:      ldrh    r3, [r8], #2
        b       1b
9:      mov     r5, r0                  /* no weight is 1 */
        mov     r11, r3
        b       2b
        .size   mcugen1_sparse_rice, . - mcugen1_sparse_rice
#endif
