/* sparse_blocks_thumb2.S - blocks of three weights to a channel's program, for Armv7-M and Armv8-M Mainline.
 *
 *     r0        the next halfword of the code
 *     r1        bits read and not used yet, the next one in bit 31, behind them a 1 and zeros
 *     r2        what remains of a group: bit 31 is 0 or the weight at hand, bit 30 the weight behind it, ...; then a 1
 *     r3, r4    free; r4 = the weight's offset
 *     r5        weights from this one to the last channel of its tap, one pixel of the kernel: C - 1 - channel
 *     r6        blocks by 5 bits of their code
 *     r7        all ones if the code is of the weights that are 0, else 0
 *     r8, lr    free
 *     r9 - r12  sparse_decode.h
 *
 * A group is decoded at once, from its last weight on: each block moves those before it down by three bits. Then CLZ
 * finds the next weight that is not zero, and its sign is shifted into the carry.
 *
 * Cycles of the Cortex-M4: 4.1 a weight and 15.7 more if it is not zero, a halfword read 16, another pixel of the kernel 22.
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
#include "sparse_blocks.h"
#include "sparse_decode.h"

/* r2 = another block above those that are there. */
        .macro  BLOCK
        lsrs    r3, r1, #27
        ldrb    r3, [r6, r3]
        lsrs    r4, r3, #3
        lsls    r1, r1, r4
        lsrs    r2, r2, #3
        orr     r2, r2, r3, lsl #29
        .endm

        HOT     mcugen1_sparse_blocks
        .p2align 2
        HEAD    mcugen1_sparse_blocks
        ENTER
        sbfx    r7, r6, #0, #1
        lsr     r6, r6, #1
        adr     r3, .Lblocks
        add     r6, r3, r6, lsl #5
        LOAD
        cbz     r5, .Lfresh
        adds    r5, r5, r4              /* the weight that the last channel did not have */
        bmi     .Ltap
        b       .Lplace
.Lfresh:
        mov     r5, r4
        mov     r1, #1 << 31
        b       .Lgroup

.Lplus_group:
        movs    r3, #15
        strh    r3, [r11], #2
        b       .Lplus_1
.Lminus_group:
        movs    r3, #15
        strh    r3, [r12], #-2
        b       .Lminus_1

.Lsigns:
        ldrh    r1, [r0], #2
        lsls    r1, r1, #16
        orr     r1, r1, #1 << 15
        b       .Lsign

/* r1 += 16 bits: twice the halfword plus 1, less the 2^16 of the 1 that was there. */
.Lrefill:
        rbit    r4, r1
        ldrh    r3, [r0], #2
        clz     r4, r4
        sub     r3, r3, #1 << 15
        subs    r4, r4, #16
        lsls    r3, r3, #1
        adds    r3, r3, #1
        lsls    r3, r3, r4
        adds    r1, r1, r3
        b       .Lread

.Lgroup_ends:                           /* what was found is the 1 behind the weights */
        sub     r5, r5, r3
        adds    r5, r5, #1
.Lgroup:
        mov     r2, #1 << 31            /* comes down to bit 1 */
.Lblock:
        lsls    r3, r1, #16             /* 16 bits are there? */
        beq     .Lrefill
.Lread:
        BLOCK
        BLOCK
        lsls    r3, r2, #30
        bpl     .Lblock
        eor     r2, r2, r7
        rbit    r2, r2
        lsls    r2, r2, #2
        lsrs    r2, r2, #1
        adds    r2, r2, #1
        b       .Lnext

.Lplus:
        lsls    r3, r11, #27
        beq     .Lplus_group
.Lplus_1:
        strh    r4, [r11], #2
.Lnext:
        clz     r3, r2
        lsl     r2, r2, r3
        bics    r2, r2, #1 << 31
        beq     .Lgroup_ends
        subs    r5, r5, r3
        bmi     .Ltap
.Lplace:
        mls     r4, r5, r9, r10
.Lsign:
        lsls    r1, r1, #1
        beq     .Lsigns
        bcc     .Lplus
        lsls    r3, r12, #27
        beq     .Lminus_group
.Lminus_1:
        strh    r4, [r12], #-2
        b       .Lnext

/* The weight lies in a later tap. */
        TAP
        b       .Lplace
        LEAVE

        .p2align 2
.Lblocks:
        .byte   MCUGEN_BLOCKS_FIRST
        .byte   MCUGEN_BLOCKS_SECOND
        .size   mcugen1_sparse_blocks, . - mcugen1_sparse_blocks
#endif
