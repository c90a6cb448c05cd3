/* relayout_nibbles_thumb.S - runs of words of bytes to words of nibbles and back, from Armv7-M on.
 *
 * Groups of 8 words, then of 4, then words. Cycles on the Cortex-M4: pack 5.2 for a word of nibbles, unpack 6.2, and
 * about 30.
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_ARCH_ISA_ARM)

#include "mcugen.h"

        .macro  PACK
        ldm     r0!, {r4-r7}
        ldm     r1!, {r8-r11}
        orr     r4, r4, r8, lsl #4
        orr     r5, r5, r9, lsl #4
        orr     r6, r6, r10, lsl #4
        orr     r7, r7, r11, lsl #4
        stm     r2!, {r4-r7}
        .endm

/* r12 = 0x0f0f0f0f */
        .macro  UNPACK
        ldm     r0!, {r4-r7}
        and     r8, r12, r4, lsr #4
        and     r9, r12, r5, lsr #4
        and     r10, r12, r6, lsr #4
        and     r11, r12, r7, lsr #4
        and     r4, r4, r12
        and     r5, r5, r12
        and     r6, r6, r12
        and     r7, r7, r12
        stm     r1!, {r4-r7}
        stm     r2!, {r8-r11}
        .endm

        .macro  GROUPS four             /* r3 = words, of which less than 4 are left */
        subs    r3, r3, #8
        bcc     2f
1:      \four
        \four
        subs    r3, r3, #8
        bcs     1b
2:      lsls    r4, r3, #30             /* bit 2 of words to carry: -8 leaves it */
        bcc     3f
        \four
3:      ands    r3, r3, #3
        beq     5f
        .endm

/* void mcugen1_pack_thumb(const uint32_t *low, const uint32_t *high, uint32_t *y, uint32_t n) */
        FUNCTION mcugen1_pack_thumb
        push    {r4-r11}
        GROUPS  PACK
4:      ldr     r4, [r0], #4
        ldr     r5, [r1], #4
        orr     r4, r4, r5, lsl #4
        str     r4, [r2], #4
        subs    r3, r3, #1
        bne     4b
5:      pop     {r4-r11}
        bx      lr
        .size   mcugen1_pack_thumb, . - mcugen1_pack_thumb

/* void mcugen1_unpack_thumb(const uint32_t *x, uint32_t *low, uint32_t *high, uint32_t n) */
        FUNCTION mcugen1_unpack_thumb
        push    {r4-r11}
        mov     r12, #0x0f0f0f0f
        GROUPS  UNPACK
4:      ldr     r4, [r0], #4
        and     r5, r12, r4, lsr #4
        and     r4, r4, r12
        str     r4, [r1], #4
        str     r5, [r2], #4
        subs    r3, r3, #1
        bne     4b
5:      pop     {r4-r11}
        bx      lr
        .size   mcugen1_unpack_thumb, . - mcugen1_unpack_thumb
#endif
