/* lanes_thumb.S - the parts of mcugen1_lanes_seal for all Cortex-M, in instructions that Armv6-M has.
 *
 * Each goes through the channels, and in a channel by groups of words, without a test within a group. Cycles a channel
 * on the Cortex-M4 (M0+): pads 10 + 2 n + 4 groups (8 + 3 n + 3), blank 10 + n + 5 groups (8 + 2 n + 4), above and
 * below 10 + 18 groups (13 + 21).
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_ARCH_ISA_ARM)

#include "lanes_thumb.h"

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

/* void mcugen1_lanes_above_thumb(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away) */
        FUNCTION mcugen1_lanes_above_thumb
        SAVE
        HALO    UP, 8
        .size   mcugen1_lanes_above_thumb, . - mcugen1_lanes_above_thumb

/* void mcugen1_lanes_below_thumb(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away) */
        FUNCTION mcugen1_lanes_below_thumb
        SAVE
        lsls    r6, r6, #24
        negs    r3, r3
        HALO    DOWN, 8
        .size   mcugen1_lanes_below_thumb, . - mcugen1_lanes_below_thumb
#endif
