/* nibbles_rice_thumb2.S - the Rice code of a channel's weights to its program, for Armv7-M and Armv8-M Mainline: two lists,
 * which are then copied to chunks, as nibbles_rice_ref.c does.
 *
 *     r0-r4     free; r0 = bytes of offsets to be copied
 *     r5        bytes of the offsets of a full chunk
 *     r6        the next offset
 *     r7        the program's end
 *     r8        bytes from an offset to the next: 2, or -2 where lists are read from their end
 *     r9, r10   bytes of the first list and of the second that no chunk has
 *     r11       bytes of a chunk's first list
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
#include "sparse_rice_thumb2.h"

/* packing: bytes */
        .equ    ROOM, END + 1
        .equ    WIDE, OWN_CENTRES
        .equ    HIGHEST, OWN_CENTRES + 1

/* The frame, from DONE on, besides PACKING. */
        .equ    PROGRAM, 0
        .equ    TOKEN, 8        /* the end */
        .equ    NEGATED, 12     /* 1: the first list's last chunk is taken from a centre */
        .equ    ADDED, 16       /* what token 20 adds */

/* One offset. */
        .macro  ONE
        ldrh    r1, [r6]
        add     r6, r6, r8
        strh    r1, [r7], #2
        .endm

        .macro  TAKE token
        movs    r0, #\token
        strh    r0, [r7], #2
        .endm

/* A chunk's first list, r11 bytes, whose first entry is loaded already. */
        .macro  CHUNK
        ONE
        subs    r0, r11, #2
        beq     9f
        bl      .Lcopy
9:
        .endm

/* r11 = bytes of \list for a chunk, and \list the others. */
        .macro  CUT list
        mov     r11, \list
        cmp     \list, r5
        it      hi
        movhi   r11, r5
        sub     \list, \list, r11
        .endm

/* Four offsets at r6 + \at, upwards or downwards, to r7 + \to: 9 cycles. */
        .macro  FOUR at, next, to
        ldrh    r1, [r6, #\at]
        ldrh    r2, [r6, #\at + \next]
        ldrh    r3, [r6, #\at + 2 * \next]
        ldrh    r4, [r6, #\at + 3 * \next]
        strh    r1, [r7, #\to]
        strh    r2, [r7, #\to + 2]
        strh    r3, [r7, #\to + 4]
        strh    r4, [r7, #\to + 6]
        .endm

/* Up to 16 offsets, r0 bytes, or up to 3 more. */
        .macro  SIXTEEN next
        FOUR    0, \next, 0
        bls     2f
        cmp     r0, #16
        FOUR    4 * \next, \next, 8
        bls     2f
        cmp     r0, #24
        FOUR    8 * \next, \next, 16
        bls     2f
        FOUR    12 * \next, \next, 24
2:
        .endm

        HOT     mcugen1_nibbles_rice
        .p2align 2
        HEAD    mcugen1_nibbles_rice
        RICE    0
        DONE
        ldrb    r4, [lr, #WIDE]
        ldrb    r3, [lr, #END]
        adds    r5, r5, #6
        cbz     r4, 1f
        ldrh    r4, [r5], #2            /* a tail of 4 halfwords, with its end */
        str     r5, [r6, #TAILS]
        lsrs    r3, r1, #8
        uxtb    r1, r1
        orr     r0, r0, r1, lsl #16
        orr     r1, r2, r4, lsl #16
        strd    r0, r1, [r6]
        b       2f
1:      str     r5, [r6, #TAILS]
        UNPACK_TAIL
        cmp     r2, #8
        it      hi
        movhi   r3, #19
2:
        sub     r9, r7, r12             /* bytes of the lists */
        sub     r10, r11, r7
        subs    r9, r9, #2
        movs    r0, #0                  /* what the last entry loads */
        strh    r0, [r11]
        strh    r0, [r12]
        ldrh    r1, [lr, #MIDDLE]
        ldrb    r5, [lr, #ROOM]
        add     r6, r12, #2
        sub     r7, r7, r1, lsl #5
        str     r7, [sp, #PROGRAM]
        str     r3, [sp, #TOKEN]
        lsls    r5, r5, #1
        mov     r8, #2
        adds    r0, r9, r10
        beq     .Lnone
        cmp     r0, r5
        bhi     .Lseveral
        cmp     r9, #0
        itt     eq
        moveq   r9, r10
        moveq   r10, #0
        mov     r11, r9
        ONE
        CHUNK
        cmp     r10, #0
        beq     .Lend

.Lnegate:                               /* the bytes are taken from a centre, the other list added */
        movs    r0, #17
        strh    r0, [r7]
        movw    r1, #0xffff
        cmp     r10, #0
        beq     1f
        ldr     r1, [sp, #PACKING]
        ldrb    r1, [r1, #HIGHEST]
        mul     r1, r1, r11
        lsrs    r1, r1, #1
        orr     r1, r1, r1, lsl #8
1:      strh    r1, [r7, #2]
        add     r7, r7, #4
        beq     .Lend
        sub     r0, r5, r11
        cmp     r0, r10
        it      hi
        movhi   r0, r10
        subs    r10, r10, r0
        bl      .Lcopy
        cmp     r10, #0
        beq     .Lend
.Ltaken:
        TAKE    22
.Lsecond:
        CUT     r10
        CHUNK
        cmp     r10, #0
        bne     .Ltaken
.Lend:
        ldr     r1, [sp, #TOKEN]
        strh    r1, [r7]
        ldr     r0, [sp, #PROGRAM]
        add     sp, sp, #FRAME
        pop     {r4-r11, pc}

.Lseveral:
        cmp     r9, r10
        bhi     1f
        mov     r0, r9
        mov     r9, r10
        mov     r10, r0
        sub     r6, r11, #2
        mov     r8, #-2
1:      cmp     r3, #0                  /* 24, 25, 26 for 0, 19, 23 */
        it      eq
        moveq   r3, #12
        lsrs    r3, r3, #2
        adds    r3, r3, #21
        str     r3, [sp, #TOKEN]
        ldrh    r4, [lr, #CENTRE]
        mov     r1, r9
2:      subs    r1, r1, r5
        bhi     2b
        it      lo
        addlo   r1, r1, r5              /* of the first list's last chunk, or 0 if that is full */
        movs    r3, r10
        beq     3f
2:      sub     r4, r4, #255            /* for each chunk that is taken away */
        subs    r3, r3, r5
        bhi     2b
        movs    r0, #0
        cbz     r1, 4f
        adds    r3, r3, r1              /* of both last chunks, less r5 */
        bgt     4f
        ldrb    r2, [lr, #HIGHEST]
        mul     r2, r2, r1
        add     r4, r4, r2, lsr #1
3:      movs    r0, #1
4:      strd    r0, r4, [sp, #NEGATED]
        CUT     r9
        ONE
        CHUNK
        ldr     r1, [sp, #ADDED]
        TAKE    20
        strh    r1, [r7], #2
        cmp     r9, #0
        beq     .Lsecond
4:      CUT     r9
        CHUNK
        cmp     r9, #0
        bne     5f
        ldr     r0, [sp, #NEGATED]
        cmp     r0, #0
        bne     .Lnegate
5:      TAKE    21
        cmp     r9, #0
        bne     4b
        b       .Lsecond

.Lnone:                                 /* any pixel, sums = 0 */
        strh    r0, [r7]
        strh    r0, [r7, #2]
        add     r7, r7, #4
        TAKE    18
        b       .Lend

.Lmore:
        push    {r0, lr}
        movs    r0, #32
        bl      .Lrun
        pop     {r0, lr}
        subs    r0, r0, #32
/* Tokens and offsets, r0 bytes of these. */
.Lcopy:
        cmp     r0, #32
        bhi     .Lmore
.Lrun:
        lsrs    r1, r0, #1
        strh    r1, [r7], #2
        cmp     r8, #0
        bmi     3f
        cmp     r0, #8
        SIXTEEN 2
        add     r7, r7, r0
        add     r6, r6, r0
        bx      lr
3:      cmp     r0, #8
        SIXTEEN -2
        add     r7, r7, r0
        sub     r6, r6, r0
        bx      lr
        .size   mcugen1_nibbles_rice, . - mcugen1_nibbles_rice
#endif
