/* tables4_thumb.h - assembler macros: sums by tables, in instructions that every Cortex-M has.
 *
 * First the tables: r1 = x, r7 = the table, r2-r5 = steps from entry to entry, r6 = an entry. Then the sums: r0 = codes,
 * r1 = the table, r2-r5 = the sums of four outputs, r6, r7 = what two of them add.
 */
/* clang-format off */
#ifndef MCUGEN_TABLES4_THUMB_H
#define MCUGEN_TABLES4_THUMB_H
#ifdef __ASSEMBLER__

#include "mcugen.h"

/* Three entries, each by x[3] more. */
        .macro  THREE at
        strh    r6, [r7, #\at]
        adds    r6, r6, r5
        strh    r6, [r7, #\at + 2]
        adds    r6, r6, r5
        strh    r6, [r7, #\at + 4]
        .endm

/* Nine entries, each three by x[2] more than the three before. */
        .macro  NINE at
        THREE   \at
        adds    r6, r6, r4
        THREE   \at + 6
        adds    r6, r6, r4
        THREE   \at + 12
        .endm

/* Two entries of the first 28 to two each of the second and third: by x[0] more, in both halves of a word. No entry is
 * above 2040, so the lower half carries nothing into the upper one. */
        .macro  TWICE at
        ldr     r3, [r7, #\at]
        adds    r3, r3, r2
        str     r3, [r6, #\at]
        adds    r3, r3, r2
        str     r3, [r5, #\at]
        .endm

/* Four inputs of four outputs: 21 cycles on Armv6-M, 15 where a load behind a load takes one. */
        .macro  LOOKUP at
        ldrb    r6, [r0, #\at]
        ldrb    r7, [r0, #\at + 1]
        ldrh    r6, [r1, r6]
        ldrh    r7, [r1, r7]
        adds    r2, r2, r6
        adds    r3, r3, r7
        ldrb    r6, [r0, #\at + 2]
        ldrb    r7, [r0, #\at + 3]
        ldrh    r6, [r1, r6]
        ldrh    r7, [r1, r7]
        adds    r4, r4, r6
        adds    r5, r5, r7
        .endm

/* const uint8_t *\name(const uint8_t *codes, const uint8_t *x, uint32_t quads, int32_t *sums, uint16_t *tables) */
        .macro  TABLES4 name
        FUNCTION \name
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        mov     r7, r11
        push    {r4-r7}
        ldr     r7, [sp, #36]           /* tables */
        mov     r8, r2                  /* quads */
        mov     r9, r3                  /* sums */
        mov     r10, r7
        mov     r11, r1
        movs    r2, #32
        add     r11, r11, r2            /* the end of x */

1:      ldrb    r2, [r1]                /* a table */
        ldrb    r3, [r1, #1]
        ldrb    r4, [r1, #2]
        ldrb    r5, [r1, #3]
        adds    r1, r1, #4
        movs    r6, #255
        lsls    r6, r6, #2
        subs    r6, r6, r2
        subs    r6, r6, r3
        subs    r6, r6, r4
        subs    r6, r6, r5
        subs    r3, r3, r4              /* x[1] - 2 x[2] - 2 x[3], x[2] - 2 x[3]: back, and one on */
        subs    r3, r3, r4
        subs    r3, r3, r5
        subs    r3, r3, r5
        subs    r4, r4, r5
        subs    r4, r4, r5
        NINE    0
        adds    r6, r6, r3
        NINE    18
        adds    r6, r6, r3
        NINE    36
        lsls    r3, r2, #16
        adds    r2, r2, r3
        movs    r6, r7
        adds    r6, r6, #56
        movs    r5, r6
        adds    r5, r5, #56
        TWICE   0
        TWICE   4
        TWICE   8
        TWICE   12
        TWICE   16
        TWICE   20
        TWICE   24
        TWICE   28
        TWICE   32
        TWICE   36
        TWICE   40
        TWICE   44
        TWICE   48
        TWICE   52
        adds    r7, r7, #168
        cmp     r1, r11
        beq     2f
        b       1b                      /* too far for a conditional branch of Armv6-M */

2:      mov     r1, r10                 /* four outputs */
        mov     r6, r9
        ldm     r6!, {r2-r5}
        LOOKUP  0
        adds    r1, r1, #168
        LOOKUP  4
        adds    r1, r1, #168
        LOOKUP  8
        adds    r1, r1, #168
        LOOKUP  12
        adds    r1, r1, #168
        LOOKUP  16
        adds    r1, r1, #168
        LOOKUP  20
        adds    r1, r1, #168
        LOOKUP  24
        adds    r1, r1, #168
        LOOKUP  28
        adds    r0, r0, #32
        mov     r6, r9
        stm     r6!, {r2-r5}
        mov     r9, r6
        mov     r6, r8
        subs    r6, r6, #1
        mov     r8, r6
        beq     3f                      /* moves to high registers leave the flags */
        b       2b
3:
        pop     {r4-r7}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
        pop     {r4-r7, pc}
        .size   \name, . - \name
        .endm

#endif
#endif
