/* lists8_thumb2.h - assembler macros: sums by lists of bytes, for Armv7-M and Armv8-M mainline.
 *
 *     r0        the lists: what is read next
 *     r1, r2    the block's inputs, the end of the last block
 *     r3        the sum, modulo 2^32
 *     r4-r11    places of the next eight weights in the block, then their inputs
 *     r12       how many weights are left in the list
 *     lr        0 in the lists of +1 weights, 1 in those of -1
 */
/* clang-format off */
#ifndef MCUGEN_LISTS8_THUMB2_H
#define MCUGEN_LISTS8_THUMB2_H
#ifdef __ASSEMBLER__

#include "mcugen.h"

/* The frame, in bytes from sp. */
        .equ    X, 0
        .equ    SUMS, 4         /* where the next sum goes, and the end of them */
        .equ    FRAME, 12       /* with 9 registers a multiple of 8 */

/* \op for the register of each of \n weights, of which i is the number. */
        .macro  EACH n, op
        .set    i, 0
        .irp    r, r4, r5, r6, r7, r8, r9, r10, r11
        .if     i < \n
        \op     \r
        .endif
        .set    i, i + 1
        .endr
        .endm

        .macro  PLACE r
        ldrb    \r, [r0, #i]
        .endm

        .macro  INPUT r
        ldrb    \r, [r1, \r]
        .endm

        .macro  SUM r
        .if     i < 4
        adds    r3, r3, \r     /* 2 bytes, with a low register only */
        .else
        add     r3, r3, \r
        .endif
        .endm

/* \n of 1 to 8 weights. Loads follow one another, so each but the first takes a cycle: 3 * n + 1 cycles. */
        .macro  WEIGHTS n
        EACH    \n, PLACE
        .if     \n == 1
        adds    r0, r0, #1      /* a load whose address was loaded right before waits for it anyway */
        .endif
        EACH    \n, INPUT
        .if     \n > 1
        adds    r0, r0, #\n
        .endif
        EACH    \n, SUM
        .endm

/* On to the next block's list, 6 cycles, or after the last block 5. */
        .macro  NEXT
        add     r1, r1, #256
        cmp     r1, r2
        beq     4f
        b       2b
        .endm

/* The rest of a list, fewer than 8 weights: 4 cycles. */
        .macro  REST
        tbb     [pc, r12]
8:      .byte   (10f - 8b) / 2, (11f - 8b) / 2, (12f - 8b) / 2, (13f - 8b) / 2
        .byte   (14f - 8b) / 2, (15f - 8b) / 2, (16f - 8b) / 2, (17f - 8b) / 2
        .endm

/* const uint8_t *\name(const uint8_t *lists, const uint8_t *x, uint32_t blocks, uint32_t count, int32_t *sums)
 *
 * A list of 8 q + r weights takes 14 + 31 q + 3 r cycles (r > 0: 2 more), an output 24 besides.
 */
        .macro  LISTS8 name
        HOT     \name
        .thumb
        .p2align 2
        .weak   \name
        .thumb_func
        .type   \name, %function
\name:
        push    {r4-r11, lr}
        ldr     r4, [sp, #36]           /* sums */
        sub     sp, sp, #FRAME
        add     r5, r4, r3, lsl #2
        add     r2, r1, r2, lsl #8
        str     r1, [sp, #X]
        strd    r4, r5, [sp, #SUMS]
0:                                      /* an output */
        movs    r3, #0
        mov     lr, #0
1:                                      /* the lists of a sign */
        ldr     r1, [sp, #X]
2:                                      /* a list */
        ldrb    r12, [r0], #1
        cmp     r12, #8
        bhs     3f
        REST
3:      WEIGHTS 8
        sub     r12, r12, #8
        cmp     r12, #8
        bhs     3b
        REST
10:     NEXT
11:     WEIGHTS 1
        NEXT
12:     WEIGHTS 2
        NEXT
13:     WEIGHTS 3
        NEXT
14:     WEIGHTS 4
        NEXT
15:     WEIGHTS 5
        NEXT
16:     WEIGHTS 6
        NEXT
17:     WEIGHTS 7
        NEXT
4:                                      /* plus, then minus - plus, then plus - minus */
        rsbs    r3, r3, #0
        eors    lr, lr, #1
        bne     1b
        ldrd    r4, r5, [sp, #SUMS]
        str     r3, [r4], #4
        str     r4, [sp, #SUMS]
        cmp     r4, r5
        bne     0b
        add     sp, sp, #FRAME
        pop     {r4-r11, pc}
        .size   \name, . - \name
        .endm

#endif
#endif
