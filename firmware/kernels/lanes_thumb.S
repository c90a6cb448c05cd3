/* lanes_thumb.S - the parts of mcugen1_lanes_seal for all Cortex-M, in instructions that Armv6-M has.
 *
 * Each goes through the channels, and in a channel by groups of words, without a test within a group. Cycles a channel
 * on the Cortex-M4 (M0+): pads 10 + 2 n + 4 groups (8 + 3 n + 3), blank 10 + n + 5 groups (8 + 2 n + 4), above and
 * below 10 + 18 groups (13 + 21).
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_ARCH_ISA_ARM)

#include "mcugen.h"

/* r6 = channels, r5 = bytes of a plane, of struct mcugen_lanes at r0. */
        .macro  PLANES
        ldrh    r6, [r0]
        ldr     r5, [r0, #12]
        lsls    r5, r5, #2
        .endm

/* void mcugen1_lanes_pads_thumb(const struct mcugen_lanes *l, uint32_t *at, uint32_t n): groups of 4, the first of
 * 1 to 4, which is entered at r7.
 */
        FUNCTION mcugen1_lanes_pads_thumb
        push    {r4-r7, lr}
        PLANES
        ldrb    r3, [r0, #11]           /* pad_value */
        lsls    r4, r3, #8
        orrs    r3, r3, r4
        lsls    r4, r3, #16
        orrs    r3, r3, r4
        ldrh    r4, [r0, #4]            /* width */
        ldrb    r0, [r0, #10]           /* pad_cols */
        adds    r4, r4, r0
        lsls    r4, r4, #2
        adds    r0, r2, #3
        lsrs    r0, r0, #2
        mov     r12, r0
        negs    r2, r2
        lsls    r2, r2, #30
        lsrs    r2, r2, #28
        adr     r7, 2f
        adds    r7, r7, r2
        adds    r7, r7, #1
1:      movs    r0, r1
        mov     r2, r12
        bx      r7
        .p2align 2
2:
        .rept   4
        str     r3, [r0]
        adds    r0, r0, r4
        .endr
        subs    r2, r2, #1
        bne     2b
        adds    r1, r1, r5
        subs    r6, r6, #1
        bne     1b
        pop     {r4-r7, pc}
        .size   mcugen1_lanes_pads_thumb, . - mcugen1_lanes_pads_thumb

/* void mcugen1_lanes_blank_thumb(const struct mcugen_lanes *l, uint8_t *at, uint32_t n): groups of 8, the first of 1
 * to 8, for which r1 is so much less.
 */
        FUNCTION mcugen1_lanes_blank_thumb
        push    {r4-r7, lr}
        PLANES
        ldrb    r3, [r0, #11]           /* pad_value */
        negs    r4, r2
        movs    r0, #7
        ands    r4, r4, r0
        adr     r7, 2f
        adds    r7, r7, r4
        adds    r7, r7, r4
        adds    r7, r7, #1
        lsls    r4, r4, #2
        subs    r1, r1, r4
        adds    r4, r2, #7
        lsrs    r4, r4, #3
1:      movs    r0, r1
        movs    r2, r4
        bx      r7
        .p2align 2
2:
        .irp    at, 0, 4, 8, 12, 16, 20, 24, 28
        strb    r3, [r0, #\at]
        .endr
        adds    r0, r0, #32
        subs    r2, r2, #1
        bne     2b
        adds    r1, r1, r5
        subs    r6, r6, #1
        bne     1b
        pop     {r4-r7, pc}
        .size   mcugen1_lanes_blank_thumb, . - mcugen1_lanes_blank_thumb

        .macro  UP v
#if __ARM_ARCH_ISA_THUMB == 2
        orr     \v, r6, \v, lsl #8
#else
        lsls    \v, \v, #8
        orrs    \v, \v, r6
#endif
        .endm

        .macro  DOWN v
#if __ARM_ARCH_ISA_THUMB == 2
        orr     \v, r6, \v, lsr #8
#else
        lsrs    \v, \v, #8
        orrs    \v, \v, r6
#endif
        .endm

        .macro  FOUR shift
        ldm     r0!, {r2-r5}
        \shift  r2
        \shift  r3
        \shift  r4
        \shift  r5
        stm     r1!, {r2-r5}
        .endm

/* From r8 + r10 to r8, a channel after the other: the first four words, then r12 times four, the first of which may
 * repeat some of those. r9 = bytes of a plane, r11 = bytes repeated, r6 = the pad that comes in, lr = channels. Registers
 * are saved, r1 = at, r2 = n and r3 = bytes to where the words come from.
 */
        .macro  HALO shift
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
        FOUR    \shift
        mov     r7, r12
        cmp     r7, #0
        beq     3f
        mov     r2, r11
        subs    r0, r0, r2
        subs    r1, r1, r2
2:      FOUR    \shift
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

/* void mcugen1_lanes_above_thumb(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away) */
        FUNCTION mcugen1_lanes_above_thumb
        SAVE
        HALO    UP
        .size   mcugen1_lanes_above_thumb, . - mcugen1_lanes_above_thumb

/* void mcugen1_lanes_below_thumb(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away) */
        FUNCTION mcugen1_lanes_below_thumb
        SAVE
        lsls    r6, r6, #24
        negs    r3, r3
        HALO    DOWN
        .size   mcugen1_lanes_below_thumb, . - mcugen1_lanes_below_thumb
#endif
