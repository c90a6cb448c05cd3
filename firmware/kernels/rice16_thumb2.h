/* rice16_thumb2.h - assembler macros: sums by a Rice code, for Armv7-M and Armv8-M mainline.
 *
 *     r0        bits of the code, complemented, the next one highest, and zeros behind them
 *     r1        how many, less 16: 0 .. 15 before each entry
 *     r2        where the entry's input is, from the end of x
 *     r3        from the zero that ends the entry's ones: that zero, the low bits of the gap, the sign, complemented
 *     r4, r5    the number of ones; scratch
 *     r6        the sum, modulo 2^32
 *     r7        k + 2
 *     r8        the end of x
 *     r9, r10   31 - k, k
 *     r11       what is read next
 *     r12       0xffff0000
 *     lr        n
 */
/* clang-format off */
#ifndef MCUGEN_RICE16_THUMB2_H
#define MCUGEN_RICE16_THUMB2_H
#ifdef __ASSEMBLER__

#include "mcugen.h"

/* The frame, in bytes from sp. */
        .equ    STATE, 0
        .equ    SUMS, 4         /* where the next sum goes, and the end of them */
        .equ    FRAME, 12       /* with 9 registers a multiple of 8 */

/* 16 more bits behind the r1 that there are. */
        .macro  FILL
        ldrh    r5, [r11], #2
        sub     r5, r12, r5, lsl #16
        lsr     r5, r5, r1
        orr     r0, r0, r5
        .endm

/* An entry, 16 cycles. At \here its bits are gone from r0, at \there r2 and r3 are what they are above.
 *
 * Complemented, the quotient is a run of zeros, and the word from the one behind it on, shifted right as a signed number
 * until the k low bits are its lowest, is -1 - low.
 */
        .macro  ENTRY here, there
        clz     r4, r0
        lsl     r3, r0, r4
        sub     r1, r1, r4
        subs    r1, r1, r7
        lsl     r0, r3, r7
        bmi     5f
\here
        asr     r5, r3, r9
        lsl     r4, r4, r10
        subs    r2, r2, r5
        adds    r2, r2, r4
        bpl     6f
\there
        ldrb    r5, [r8, r2]
        lsls    r3, r3, r7      /* carry = not the sign */
        ite     cs
        addcs   r6, r6, r5
        subcc   r6, r6, r5
        .endm

/* void \name(struct mcugen_rice16 *s, const uint8_t *x, uint32_t n, uint32_t count, int32_t *sums)
 *
 * 16 cycles an entry, 12 for every 16 bits, 20 an output.
 */
        .macro  RICE16 name
        FUNCTION \name
        push    {r4-r11, lr}
        ldr     r4, [sp, #36]           /* sums */
        sub     sp, sp, #FRAME
        add     r5, r4, r3, lsl #2
        str     r0, [sp, #STATE]
        strd    r4, r5, [sp, #SUMS]
        mov     lr, r2
        add     r8, r1, r2
        movw    r12, #0
        movt    r12, #0xffff
        mov     r5, r0
        ldr     r11, [r5]               /* next */
        ldrd    r0, r1, [r5, #4]        /* bits, left */
        ldrd    r2, r3, [r5, #12]       /* at, code */
        ldr     r10, [r5, #20]          /* k */
        add     r7, r10, #2
        rsb     r9, r10, #31
        movs    r6, #0
        cmp     r2, #0
        bpl     7f                      /* the entry read last belongs here, or to a later output */
        b       9f                      /* the first output: there are no bits yet */

/* After 5 and 6 it goes on in the first of four equal entries; it is rare that all four are passed. */
1:      ENTRY   2:, 3:
        ENTRY
        ENTRY
        ENTRY
        b       1b

5:      adds    r1, r1, #16             /* fewer than 16 bits are left */
        bmi     8f
        FILL
        b       2b

6:      ldrd    r4, r5, [sp, #SUMS]     /* the entry is in a later output */
        str     r6, [r4], #4
        str     r4, [sp, #SUMS]
        movs    r6, #0
        cmp     r4, r5
        beq     4f
7:      subs    r2, r2, lr
        bpl     6b
        b       3b

8:      lsr     r0, r3, r4              /* not all of the entry was there, so it has 8 ones or more: take 8 of them */
        lsls    r0, r0, #8
        add     r1, r1, r4
        add     r1, r1, r7
        movs    r5, #8
        lsl     r5, r5, r10
        add     r2, r2, r5
        subs    r1, r1, #24
        bpl     1b
9:      adds    r1, r1, #16
        FILL
        b       1b

4:      ldr     r5, [sp, #STATE]
        str     r11, [r5]
        strd    r0, r1, [r5, #4]
        strd    r2, r3, [r5, #12]
        add     sp, sp, #FRAME
        pop     {r4-r11, pc}
        .size   \name, . - \name
        .endm

#endif
#endif
