/* lists8_m0.S - sums by lists of bytes, for Armv6-M: 5 cycles a weight, unrolled 31 times and entered anywhere.
 *
 *     r0        the lists: what is read next
 *     r1        the block's inputs
 *     r2        where the next sum goes
 *     r3        the sum, modulo 2^32
 *     r4        a place in the block, then its input
 *     r5, r6    31 less the list's weights, the bytes of code that are skipped for them
 *     r7        6
 *     r8, r9    the end of the last block, of the sums
 *     r10, r11  bytes of a block, the first one's inputs
 *     r12       where a block ends: at 3, or with several of them at 2
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1 && !defined(__ARM_ARCH_ISA_ARM)

#include "mcugen.h"

/* Weights 31 to 1 of a list, 6 bytes of code each. */
        .macro  WEIGHTS op
        .set    at, 31
        .rept   31
        ldrb    r4, [r0, #at]
        ldrb    r4, [r1, r4]
        \op     r3, r3, r4
        .set    at, at - 1
        .endr
        .endm

        .macro  LIST op
        ldrb    r5, [r0]
        movs    r6, r5
        muls    r6, r7, r6
        add     pc, pc, r6              /* to the second instruction behind this, and r6 bytes on */
        nop
        WEIGHTS \op
        subs    r0, r0, r5
        adds    r0, r0, #32
        .endm

/* const uint8_t *mcugen1_lists8_m0(const uint8_t *lists, const struct mcugen_lists8 *from, uint32_t count,
 *                                  int32_t *sums)
 *
 * On the Cortex-M0+ a list takes 8 cycles and 5 for each weight, an output 7. Where there are several blocks, each takes
 * 6 besides, and an output 5.
 */
        FUNCTION mcugen1_lists8_m0
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        mov     r7, r11
        push    {r4-r7}
        lsls    r2, r2, #2
        adds    r2, r2, r3
        mov     r9, r2
        movs    r2, r3
        ldm     r1!, {r4, r5, r6}
        mov     r11, r4
        mov     r10, r5
        adds    r1, r4, r6
        mov     r8, r1
        adr     r7, 2f
        cmp     r5, r6
        bne     1f
        adr     r7, 3f
1:      adds    r7, r7, #1
        mov     r12, r7
        movs    r7, #6
        movs    r1, r4
        movs    r3, #0
        b       4f
5:      pop     {r4-r7}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
        pop     {r4-r7, pc}
        .p2align 2
2:      add     r1, r1, r10             /* the end of a block */
        cmp     r1, r8
        bne     4f
        mov     r1, r11
        .p2align 2
3:      stm     r2!, {r3}               /* the end of an output */
        movs    r3, #0
        cmp     r2, r9
        beq     5b
4:      LIST    adds
        LIST    subs
        bx      r12
        .size   mcugen1_lists8_m0, . - mcugen1_lists8_m0
#endif
