/* sparse_rice_thumb2.h - assembler macro: a Rice code of a channel's weights to lists of offsets, for Armv7-M and Armv8-M
 * Mainline.
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
 * A weight takes 14 cycles on Cortex-M4, 12 without groups, and 1, 3 or 4 more to the copy of the loop that has its list,
 * 17.2 on average; a halfword read 11, another pixel of the kernel 22. Without DSP two MLS take a cycle more each. r5 stays above
 * -2^31, because a tensor has fewer weights.
 */
/* clang-format off */
#ifndef MCUGEN_SPARSE_RICE_THUMB2_H
#define MCUGEN_SPARSE_RICE_THUMB2_H
#if defined(__ASSEMBLER__) && defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2

#include "sparse_decode.h"

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

/* A decoder up to DONE or LEAVE; groups: as ENTER says. */
        .macro  RICE groups
        ENTER   \groups
        rsb     r7, r6, #31
        mov     r8, #1
        lsl     r8, r8, r6
        add     r6, r6, #2
        LOAD
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
        .if     \groups
        lsls    r3, r11, #27
        beq     .Lplus_group
.Lplus_1:
        .endif
        strh    r4, [r11], #2
.Ldecode:
        NEXT
.Lplace:
        PLACE
        bcc     .Lplus
.Lminus:
        .if     \groups
        lsls    r3, r12, #27
        beq     .Lminus_group
.Lminus_1:
        .endif
        strh    r4, [r12], #-2
        NEXT
        PLACE
        bcs     .Lminus
        b       .Lplus

        .if     \groups
.Lplus_group:
        mov     r3, #15
        strh    r3, [r11], #2
        b       .Lplus_1
.Lminus_group:
        mov     r3, #15
        strh    r3, [r12], #-2
        b       .Lminus_1
        .endif

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
        TAP
        cmp     r2, #0
        bge     .Lplace
        b       .Lplace_refill
        .endm

#endif
#endif
