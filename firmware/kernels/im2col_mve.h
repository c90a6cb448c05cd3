/* im2col_mve.h - blocks of im2col by bytes and by codes with Helium: sixteen products an instruction.
 *
 *     r0, r2, r4, r6      sums of lanes 0 to 3 of channel a     r9          gathered pixels
 *     r8, r10, r12, lr    of channel b                          r3, r5      weights of a, of b
 *     q0-q3               16 taps of a lane each, less 128      r7, r1      words of y in a, in b
 *     q4, q5              their weights in a, in b              r11         end of the row of y, or of the weights of a
 *     q6, q7              1 << up of a, of b
 *
 * A word is gathered as it lies, four pixels to a tap: VLD40 to VLD43 take 64 bytes apart into lanes, in as many
 * instructions as loads would be. VMLADAVA adds 16 products to a register; two channels share the pixels, four lanes
 * the weights, so that 6 loads and 8 sums make 128 products. Eight even registers are all that VMLADAVA can add to.
 * Sums are modulo 2^32, and so is what makes up for the 128 of each pixel; the whole sum is proven to fit, shifted by up.
 *
 * \exactly so many groups, or any number where that is 0; the weights of 1 or 2 stay in registers for all words of a
 * block, those of 2 in q4-q7 (a's, then b's).
 */
/* clang-format off */
#ifndef MCUGEN_IM2COL_MVE_H
#define MCUGEN_IM2COL_MVE_H
#ifdef __ASSEMBLER__

#include "mcugen.h"

/* The frame: tails of a and b, struct mcugen_im2col_job, and what follows of it. */
        .equ    TAILS, 0
        .equ    X, 32
        .equ    X_STEP, 36
        .equ    Y, 40                    /* the first word in channel a */
        .equ    END, 44
        .equ    PLANE, 48
        .equ    TAPS, 52
        .equ    GATHERED, 56
        .equ    PROGRAM, 60             /* of channel a */
        .equ    GROUPS, 64
        .equ    X_ROW, 68
        .equ    Y_ROW, 72
        .equ    ROWS_OF_Y, 76
        .equ    CHANNELS, 80            /* left */
        .equ    A, 84                   /* weights of a and b, a byte each */
        .equ    B, 88
        .equ    TO_B, 92                /* from channel a to channel b: bytes of the program, and of y */
        .equ    TO_B_OF_Y, 96
        .equ    ENTRY, 100               /* code of a word's second group */
        .equ    ROW, 104                 /* bytes of a row of y */
        .equ    ROW_END, 108
        .equ    ROWS_LEFT, 112
        .equ    FRAME, 116

        .equ    UNROLLED, 8
        .equ    GROUP_BYTES, 56

/* \add: `a` to add to the sums, nothing to begin them. */
        .macro  SUMS add, a, b
        vmladav\add\().s8 r0, q0, \a
        vmladav\add\().s8 r2, q1, \a
        vmladav\add\().s8 r4, q2, \a
        vmladav\add\().s8 r6, q3, \a
        vmladav\add\().s8 r8, q0, \b
        vmladav\add\().s8 r10, q1, \b
        vmladav\add\().s8 r12, q2, \b
        vmladav\add\().s8 lr, q3, \b
        .endm

/* Sixteen taps of four pixels for two channels: 14 instructions, 56 bytes; \set: the first ones. */
        .macro  GROUP set=0
        vld40.8 {q0, q1, q2, q3}, [r9]
        vldrw.u32 q4, [r3], #16
        vld41.8 {q0, q1, q2, q3}, [r9]
        vldrw.u32 q5, [r5], #16
        vld42.8 {q0, q1, q2, q3}, [r9]
        vld43.8 {q0, q1, q2, q3}, [r9]!
        .if     \set
        SUMS    , q4, q5
        .else
        SUMS    a, q4, q5
        .endif
        .endm

        .macro  HELD set, a, b
        vld40.8 {q0, q1, q2, q3}, [r9]
        vld41.8 {q0, q1, q2, q3}, [r9]
        vld42.8 {q0, q1, q2, q3}, [r9]
        vld43.8 {q0, q1, q2, q3}, [r9]!
        .if     \set
        SUMS    , \a, \b
        .else
        SUMS    a, \a, \b
        .endif
        .endm

/* The codes of a channel at r0, \blocks of 64 weights, to bytes at r1, and its tail to r2, where unused weights may be:
 * 13 instructions for 64.
 */
        .macro  EXPAND blocks
        dls     lr, \blocks
1:      vldrw.u32 q0, [r0], #16
        vshl.i8 q1, q0, #6
        vshl.i8 q2, q0, #4
        vshr.s8 q1, q1, #6
        vshl.i8 q3, q0, #2
        vstrw.32 q1, [r1], #16
        vshr.s8 q2, q2, #6
        vshr.s8 q3, q3, #6
        vstrw.32 q2, [r1], #16
        vshr.s8 q0, q0, #6
        vstrw.32 q3, [r1], #16
        vstrw.32 q0, [r1], #16
        le      lr, 1b
        vldrw.u32 q0, [r0]
        vstrw.32 q0, [r2]
        .endm

        .macro  BLOCKS name, codes=0, exactly=0
        FUNCTION \name
        push    {r4-r11, lr}
        vpush   {d8-d15}
        sub     sp, sp, #FRAME
        add     r12, sp, #X
        ldm     r0!, {r1-r7}
        stm     r12!, {r1-r7}
        ldm     r0!, {r1-r6}
        stm     r12!, {r1-r6}

        vmov.i8 q7, #128
        ldrd    r9, r10, [sp, #Y]
        subs    r10, r10, r9
        str     r10, [sp, #ROW]
        lsr     r10, r10, #2
        ldrd    r3, r4, [sp, #TAPS]
        ldrd    r8, r11, [sp, #GROUPS]
        ldr     r5, [sp, #X_STEP]
        lsl     r6, r8, #6              /* bytes of a word's pixels */
1:      vldrh.u32 q0, [r3], #8          /* 16 taps of all words */
        vldrh.u32 q1, [r3], #8
        vldrh.u32 q2, [r3], #8
        vldrh.u32 q3, [r3], #8
        ldr     r12, [sp, #ROWS_OF_Y]
        ldr     r1, [sp, #X]
        mov     r2, r4
2:      mov     r0, r1
        dls     lr, r10
3:      vldrw.u32 q4, [r0, q0, uxtw #2] /* 15 instructions */
        vldrw.u32 q5, [r0, q1, uxtw #2]
        veor    q4, q4, q7
        vldrw.u32 q6, [r0, q2, uxtw #2]
        veor    q5, q5, q7
        vstrw.32 q4, [r2]
        veor    q6, q6, q7
        vstrw.32 q5, [r2, #16]
        vldrw.u32 q4, [r0, q3, uxtw #2]
        add     r0, r0, r5
        vstrw.32 q6, [r2, #32]
        veor    q4, q4, q7
        vstrw.32 q4, [r2, #48]
        add     r2, r2, r6
        le      lr, 3b
        add     r1, r1, r11
        subs    r12, r12, #1
        bne     2b
        adds    r4, r4, #64
        subs    r8, r8, #1
        bne     1b

        .if     \codes                  /* r2 - r6 + 64: behind the pixels */
        adds    r2, r2, #64
        subs    r2, r2, r6
        lsrs    r3, r6, #2
        adds    r3, r3, #48
        bic     r3, r3, #63             /* 4 * bytes of a channel's codes */
        adds    r0, r3, #16
        add     r0, r0, r2
        strd    r2, r0, [sp, #A]
        lsrs    r3, r3, #2
        .else
        lsrs    r3, r6, #2
        .endif
        adds    r3, r3, #16
        ldr     r4, [sp, #PLANE]
        ldr     r5, [sp, #CHANNELS]
        cmp     r5, #1                  /* a single channel is a and b */
        ittt    eq
        moveq   r3, #0
        moveq   r4, #0
        moveq   r5, #2
        strd    r3, r4, [sp, #TO_B]
        str     r5, [sp, #CHANNELS]
        .if     \exactly == 0
        ldr     r0, [sp, #GROUPS]
        subs    r0, r0, #1
        and     r0, r0, #UNROLLED - 1
        movs    r1, #GROUP_BYTES
        adr.w   r2, 7f
        mls     r0, r0, r1, r2
        orr     r0, r0, #1
        str     r0, [sp, #ENTRY]
        .endif

4:      ldrd    r4, r5, [sp, #TO_B]     /* two channels; b has been one before if their number is odd */
        ldr     r0, [sp, #PROGRAM]
        ldr     r7, [sp, #Y]
        ldr     r6, [sp, #CHANNELS]
        cmp     r6, #1
        itt     eq
        subeq   r0, r0, r4
        subeq   r7, r7, r5
        subs    r6, r6, #2
        str     r6, [sp, #CHANNELS]
        add     r9, r7, r5
        add     r6, r0, r4
        add     r1, r6, r4
        add     r2, r9, r5
        str     r1, [sp, #PROGRAM]
        str     r2, [sp, #Y]
        .if     \codes
        ldrd    r11, r5, [sp, #A]
        ldr     r8, [sp, #GROUPS]
        add     r10, r8, #3
        lsrs    r10, r10, #2
        mov     r1, r11
        add     r2, r11, r8, lsl #4
        EXPAND  r10
        mov     r0, r6
        mov     r1, r5
        add     r2, r5, r8, lsl #4
        EXPAND  r10
        mov     r0, r11
        mov     r6, r5
        .elseif \exactly == 0 || \exactly > 2
        strd    r0, r6, [sp, #A]
        .endif
        .if     \exactly
        add     r3, r0, #16 * \exactly
        add     r5, r6, #16 * \exactly
        .else
        ldr     r8, [sp, #GROUPS]
        add     r3, r0, r8, lsl #4
        add     r5, r6, r8, lsl #4
        mov     r11, r3
        .endif
        .if     \exactly == 1
        vldrw.u32 q4, [r0]
        vldrw.u32 q5, [r6]
        .elseif \exactly == 2
        vldrw.u32 q4, [r0]
        vldrw.u32 q5, [r0, #16]
        vldrw.u32 q6, [r6]
        vldrw.u32 q7, [r6, #16]
        .endif
        ldm     r3, {r0, r2, r4, r6}    /* 128 * the sum of weights, << up; 1 << up; mult << 15; more */
        ldm     r5, {r8, r10, r12, lr}
        stm     sp, {r0, r2, r4, r6, r8, r10, r12, lr}
        .if     \exactly != 2
        vdup.32 q6, r2
        vdup.32 q7, r10
        .endif
        ldr     r4, [sp, #ROW]
        ldr     r2, [sp, #ROWS_OF_Y]
        add     r4, r4, r7
        strd    r4, r2, [sp, #ROW_END]
        .if     \exactly
        mov     r11, r4
        .endif
        mov     r1, r9
        ldr     r9, [sp, #GATHERED]

5:                                      /* a word */
        .if     \exactly == 1
        HELD    1, q4, q5
        .elseif \exactly == 2
        HELD    1, q4, q6
        HELD    0, q5, q7
        .else
        ldrd    r3, r5, [sp, #A]
        GROUP   1
        .if     \exactly
        .rept   \exactly - 1
        GROUP
        .endr
        .else
        ldr     pc, [sp, #ENTRY]
        .p2align 2
6:      .rept   UNROLLED
        GROUP
        .endr
7:      cmp     r3, r11
        bne     6b
        .endif
        .endif
        vmov    q0[2], q0[0], r0, r4
        vmov    q0[3], q0[1], r2, r6
        vmov    q1[2], q1[0], r8, r12
        vmov    q1[3], q1[1], r10, lr
        ldm     sp, {r0, r2, r4, r6, r8, r10, r12, lr}
        .if     \exactly == 2
        vmul.i32 q0, q0, r2
        vmul.i32 q1, q1, r10
        vadd.i32 q0, q0, r0
        vadd.i32 q1, q1, r8
        .else
        vmlas.u32 q0, q6, r0
        vmlas.u32 q1, q7, r8
        .endif
        vqdmulh.s32 q0, q0, r4          /* (sum << up) * mult >> 16 */
        vqdmulh.s32 q1, q1, r12
        vadd.i32 q0, q0, r6
        vadd.i32 q1, q1, lr
        vshrnb.i32 q1, q0, #16          /* a in the lower halves, b in the upper */
        vqmovunb.s16 q1, q1
        vstrb.32 q1, [r7], #4
        vshr.u32 q1, q1, #16
        vstrb.32 q1, [r1], #4
        .if     \exactly
        cmp     r7, r11
        .else
        ldr     r0, [sp, #ROW_END]
        cmp     r7, r0
        .endif
        bne.w   5b
        ldrd    r0, r2, [sp, #ROW_END]  /* a row */
        ldr     r4, [sp, #Y_ROW]
        ldr     r6, [sp, #ROW]
        add     r0, r0, r4
        .if     \exactly
        mov     r11, r0
        .endif
        subs    r4, r4, r6
        subs    r2, r2, #1
        strd    r0, r2, [sp, #ROW_END]
        add     r7, r7, r4
        add     r1, r1, r4
        bne.w   5b
        ldr     r6, [sp, #CHANNELS]
        cmp     r6, #0
        bgt.w   4b
        add     sp, sp, #FRAME
        vpop    {d8-d15}
        pop     {r4-r11, pc}
        .size   \name, . - \name
        .endm

#endif
#endif
