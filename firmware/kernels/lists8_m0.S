/* lists8_m0.S - sums by lists of bytes, for Armv6-M: 5 cycles a weight, unrolled 16 times and entered anywhere.
 *
 *     r0        the lists: what is read next; in the unrolled part the end of its weights, less 16
 *     r1, r2    the block's inputs, the end of the last block
 *     r3        the sum, modulo 2^32
 *     r4        a place in the block, then its input
 *     r5        16s of weights that are left
 *     r8        0 in the lists of +1 weights, 1 in those of -1
 *     r9        256
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1 && !defined(__ARM_ARCH_ISA_ARM)

#include "mcugen.h"

/* The frame, in bytes from sp. */
        .equ    X, 0
        .equ    SUMS, 4         /* where the next sum goes, and the end of them */
        .equ    SUMS_END, 8
        .equ    FRAME, 12       /* with 7 registers not a multiple of 8: nothing is called */

        .macro  WEIGHT at
        ldrb    r4, [r0, #\at]
        ldrb    r4, [r1, r4]
        adds    r3, r3, r4
        .endm

/* const uint8_t *mcugen1_lists8_m0(const uint8_t *lists, const uint8_t *x, uint32_t blocks, uint32_t count,
 *                                  int32_t *sums)
 *
 * On the Cortex-M0+ a list takes 18 cycles, 5 for each weight and 6 for every 16 of them; an output 26 besides.
 */
        HOT     mcugen1_lists8_m0
        .thumb
        .p2align 2
        .weak   mcugen1_lists8_m0
        .thumb_func
        .type   mcugen1_lists8_m0, %function
mcugen1_lists8_m0:
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        push    {r4-r5}
        ldr     r4, [sp, #28]           /* sums */
        sub     sp, sp, #FRAME
        lsls    r3, r3, #2
        adds    r3, r3, r4
        str     r1, [sp, #X]
        str     r4, [sp, #SUMS]
        str     r3, [sp, #SUMS_END]
        lsls    r2, r2, #8
        adds    r2, r2, r1
        movs    r7, #255
        adds    r7, r7, #1
        mov     r9, r7
0:                                      /* an output */
        movs    r3, #0
        mov     r8, r3
1:                                      /* the lists of a sign */
        ldr     r1, [sp, #X]
2:                                      /* a list of 16 q + r weights: r6 = 15 - r, which is how many are left out */
        ldrb    r5, [r0]
        movs    r6, #15
        bics    r6, r6, r5
        subs    r0, r0, r6
        lsrs    r5, r5, #4
        lsls    r7, r6, #1
        adds    r6, r6, r7
        lsls    r6, r6, #1              /* 6 bytes of code each */
        add     pc, pc, r6              /* to the second instruction behind this, and r6 bytes on */
        nop
3:      WEIGHT  1
        WEIGHT  2
        WEIGHT  3
        WEIGHT  4
        WEIGHT  5
        WEIGHT  6
        WEIGHT  7
        WEIGHT  8
        WEIGHT  9
        WEIGHT  10
        WEIGHT  11
        WEIGHT  12
        WEIGHT  13
        WEIGHT  14
        WEIGHT  15
        adds    r0, r0, #16
        subs    r5, r5, #1
        bhs     5f
        add     r1, r1, r9
        cmp     r1, r2
        bne     2b
        rsbs    r3, r3, #0              /* plus, then minus - plus, then plus - minus */
        mov     r7, r8
        movs    r6, #1
        eors    r7, r7, r6
        mov     r8, r7
        bne     1b                      /* moves to high registers leave the flags */
        ldr     r4, [sp, #SUMS]
        str     r3, [r4]
        adds    r4, r4, #4
        str     r4, [sp, #SUMS]
        ldr     r5, [sp, #SUMS_END]
        cmp     r4, r5
        bne     0b
        add     sp, sp, #FRAME
        pop     {r4-r5}
        mov     r8, r4
        mov     r9, r5
        pop     {r4-r7, pc}
5:      WEIGHT  0                       /* 16 more */
        b       3b
        .size   mcugen1_lists8_m0, . - mcugen1_lists8_m0
#endif
