/* lanes_thumb.h - macros of what seals images in lanes, of bytes and of nibbles, by \by bits. */
/* clang-format off */
#ifndef MCUGEN_LANES_THUMB_H
#define MCUGEN_LANES_THUMB_H

#ifdef __ASSEMBLER__

#include "mcugen.h"

/* r6 = channels, r5 = bytes of a plane, of struct mcugen_lanes at r0. */
        .macro  PLANES
        ldrh    r6, [r0]
        ldr     r5, [r0, #12]
        lsls    r5, r5, #2
        .endm

        .macro  UP v, by
#if __ARM_ARCH_ISA_THUMB == 2
        orr     \v, r6, \v, lsl #\by
#else
        lsls    \v, \v, #\by
        orrs    \v, \v, r6
#endif
        .endm

        .macro  DOWN v, by
#if __ARM_ARCH_ISA_THUMB == 2
        orr     \v, r6, \v, lsr #\by
#else
        lsrs    \v, \v, #\by
        orrs    \v, \v, r6
#endif
        .endm

        .macro  FOUR shift, by
        ldm     r0!, {r2-r5}
        \shift  r2, \by
        \shift  r3, \by
        \shift  r4, \by
        \shift  r5, \by
        stm     r1!, {r2-r5}
        .endm

/* From r8 + r10 to r8, a channel after the other: the first four words, then r12 times four, the first of which may
 * repeat some of those. r9 = bytes of a plane, r11 = bytes repeated, r6 = the pad that comes in, lr = channels. Registers
 * are saved, r1 = at, r2 = n and r3 = bytes to where the words come from.
 */
        .macro  HALO shift, by
        mov     r8, r1
        mov     r10, r3
        negs    r3, r2
        lsls    r3, r3, #30
        lsrs    r3, r3, #28
        mov     r11, r3
        subs    r2, r2, #1
        lsrs    r2, r2, #2
        mov     r12, r2
        ldr     r3, [r0, #12]           /* plane */
        lsls    r3, r3, #2
        mov     r9, r3
        ldrh    r7, [r0]                /* channels */
1:      mov     lr, r7
        mov     r1, r8
        mov     r0, r8
        add     r0, r0, r10
        FOUR    \shift, \by
        mov     r7, r12
        cmp     r7, #0
        beq     3f
        mov     r2, r11
        subs    r0, r0, r2
        subs    r1, r1, r2
2:      FOUR    \shift, \by
        subs    r7, r7, #1
        bne     2b
3:      add     r8, r8, r9
        mov     r7, lr
        subs    r7, r7, #1
        bne     1b
        pop     {r4-r7}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
        pop     {r4-r7, pc}
        .endm

        .macro  SAVE
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        mov     r7, r11
        push    {r4-r7}
        ldrb    r6, [r0, #11]           /* pad_value */
        lsls    r3, r3, #2
        .endm

#endif
#endif
/* clang-format on */
