/* sparse_blocks_m0.S - blocks of three weights to a channel's program, for Armv6-M.
 *
 *     r0        where the next 1 goes; the list grows upwards
 *     r1        bits read and not used yet, the next one in bit 31, zeros behind them
 *     r2        how many there are, less 16; not negative where a code or a sign begins, but for two blocks at once
 *     r3, r4    free; r4 = the weight's offset
 *     r5        weights from the next one to the last channel of its tap, one pixel of the kernel: C - 1 - channel
 *     r6        where the next -1 goes; the list grows downwards
 *     r7        what remains of a group: bit 0 is the next weight, bit 1 the one behind it, ...; then a 1
 *     r8        blocks by 5 bits of their code
 *     r9        all ones if the code is of the weights that are 0, else 0
 *     r10       words of a channel of x
 *     r11       offset of the tap's last channel
 *     r12       the next halfword of the code
 *     lr        r0, while a group is decoded
 *
 * A group is decoded at once, from its last weight on: each block moves those before it down by three bits. Then weights
 * are shifted into the carry one by one. A channel ends with its last weight, so that a code never leads beyond it.
 *
 * Cycles of the Cortex-M0+: 9.4 a weight, 5 of these to find it, and 15.9 more if it is not zero; a halfword read 12,
 * another pixel of the kernel 17.
 */
/* clang-format off */
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#include "sparse_blocks.h"
#include "sparse_decode.h"

/* r7 = another block above those that are there. */
        .macro  BLOCK
        lsrs    r3, r1, #27
        ldrb    r3, [r4, r3]
        lsrs    r7, r7, #3
        lsls    r0, r3, #29
        orrs    r7, r7, r0
        lsrs    r3, r3, #3
        lsls    r1, r1, r3
        subs    r2, r2, r3
        .endm

        FUNCTION mcugen1_sparse_blocks
        ENTER
        ldrh    r4, [r3, #K]
        movs    r5, #1
        ands    r5, r5, r4
        rsbs    r5, r5, #0
        mov     r9, r5
        lsrs    r4, r4, #1
        lsls    r4, r4, #5
        adr     r5, .Lblocks
        adds    r4, r4, r5
        mov     r8, r4
        LOAD
        mov     r7, r5
        ldr     r5, [sp, #C]
        subs    r5, r5, #1
        cmp     r7, #0
        beq     .Lgroup

.Lready:
        lsrs    r7, r7, #1
        bcs     .Lone
        subs    r5, r5, #1
        bpl     .Lready
        b       .Ltap
.Lone:
        beq     .Lgroup                 /* the 1 behind the weights */
        mov     r4, r10
        muls    r4, r5, r4
        mov     r3, r11
        subs    r4, r3, r4
        subs    r2, r2, #1
        bmi     .Lsigns
.Lsign:
        lsls    r1, r1, #1
        bcs     .Lminus
        lsls    r3, r0, #27
        beq     .Lplus_group
.Lplus_1:
        strh    r4, [r0]
        adds    r0, r0, #2
        subs    r5, r5, #1
        bpl     .Lready
        b       .Ltap
.Lminus:
        lsls    r3, r6, #27
        beq     .Lminus_group
.Lminus_1:
        strh    r4, [r6]
        subs    r6, r6, #2
        subs    r5, r5, #1
        bpl     .Lready
        b       .Ltap

.Lplus_group:
        movs    r3, #15
        strh    r3, [r0]
        adds    r0, r0, #2
        b       .Lplus_1
.Lminus_group:
        movs    r3, #15
        strh    r3, [r6]
        subs    r6, r6, #2
        b       .Lminus_1

.Lsigns:                                /* there are 16, that of this weight one of them */
        mov     r3, r12
        ldrh    r2, [r3]
        adds    r3, r3, #2
        mov     r12, r3
        orrs    r1, r1, r2
        movs    r2, #15
        b       .Lsign

.Lgroup:
        mov     lr, r0
        mov     r4, r8
        movs    r7, #1
        lsls    r7, r7, #31             /* comes down to bit 1 */
        cmp     r2, #0
        bmi     .Lrefill                /* the first time */
.Lblock:
        BLOCK
        BLOCK
        bmi     .Lrefill
.Lread:
        lsls    r0, r7, #30
        bpl     .Lblock
        mov     r0, lr
        mov     r3, r9
        eors    r7, r7, r3
        movs    r3, #1
        lsls    r3, r3, #30
        lsrs    r7, r7, #2
        orrs    r7, r7, r3
        b       .Lready
.Lrefill:
        mov     r3, r12
        ldrh    r0, [r3]
        adds    r3, r3, #2
        mov     r12, r3
        rsbs    r3, r2, #0
        lsls    r0, r0, r3
        orrs    r1, r1, r0
        adds    r2, r2, #16
        b       .Lread

/* The next weight lies in a later tap. */
        TAP
        b       .Lready
        LEAVE   rest=r7

        .p2align 2
.Lblocks:
        .byte   MCUGEN_BLOCKS_FIRST
        .byte   MCUGEN_BLOCKS_SECOND
        .size   mcugen1_sparse_blocks, . - mcugen1_sparse_blocks
#endif
