/* sparse_rice_m0.h - assembler macro: a Rice code of a channel's weights to lists of offsets, for Armv6-M.
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
 * What it makes of a code is as in sparse_rice_thumb2.h; but zeros are counted one by one, and a weight that lies in a
 * later channel keeps its one and what follows it.
 *
 * Cycles of the Cortex-M0+: 22 a weight, 20 without groups, and 7 a zero of its high part, the first 9; a halfword read 11,
 * another pixel of the kernel 17.
 */
/* clang-format off */
#ifndef MCUGEN_SPARSE_RICE_M0_H
#define MCUGEN_SPARSE_RICE_M0_H
#if defined(__ASSEMBLER__) && (defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__))

#include "sparse_decode.h"

/* A decoder up to DONE or LEAVE; groups: as ENTER says. */
        .macro  RICE groups
        ENTER   \groups
        ldrh    r4, [r3, #K]
        movs    r7, #31
        subs    r7, r7, r4
        movs    r5, #1
        lsls    r5, r5, r4
        mov     r8, r5
        adds    r4, r4, #2
        mov     r9, r4
        LOAD
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

        TAP
        b       .Lplace
        .endm

#endif
#endif
