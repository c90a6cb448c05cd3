/* total_thumb.S - sums of the bytes of planes, for all Cortex-M: by groups of words, the first of which is entered at r5
 * and may have less.
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_ARCH_ISA_ARM)

#include "mcugen.h"

/* void mcugen1_totals_thumb(const uint32_t *x, uint32_t n, uint32_t plane, uint32_t planes, uint32_t *sums): of the first
 * n words of each, which lie `plane` words apart; n and planes are at least 1.
 *
 *     r0    x                     r5    where the first group is entered
 */
        FUNCTION mcugen1_totals_thumb
#if defined(__ARM_FEATURE_DSP)
/* Groups of 8, of which the first goes word by word. Cycles of a plane on the Cortex-M4: 20 + 3 n for n up to 8, and 21
 * for each 8 more. The sum of bytes does not overflow below 2^22 words. r4 = 0, r12 groups left, lr sums.
 */
        push    {r4-r11, lr}
        ldr     lr, [sp, #36]
        subs    r2, r2, r1
        lsls    r2, r2, #2
        add     r3, lr, r3, lsl #2
        rsb     r6, r1, #0
        and     r6, r6, #7
        adr     r5, 2f
        add     r5, r5, r6, lsl #3
        adds    r5, r5, #1
        adds    r1, r1, #7
        lsrs    r1, r1, #3
        movs    r4, #0
        push    {r1-r3}                 /* groups, gap, the end of sums */
1:      ldr     r12, [sp]
        movs    r1, #0
        bx      r5
        .p2align 2
2:
        .rept   8
        ldr     r3, [r0], #4
        usada8  r1, r3, r4, r1
        .endr
        b       4f
3:      ldm     r0!, {r2-r3, r6-r11}
        .irp    r, 2, 3, 6, 7, 8, 9, 10, 11
        usada8  r1, r\r, r4, r1
        .endr
4:      subs    r12, r12, #1
        bne     3b
        ldrd    r2, r3, [sp, #4]
        add     r0, r0, r2
        str     r1, [lr], #4
        cmp     lr, r3
        bne     1b
        add     sp, sp, #12
        pop     {r4-r11, pc}
#else
/* Groups of 4. Words are added as they are, and their odd bytes by twos: what those leave of the sum, of 2^32, are the
 * even ones by twos. Cycles of a plane: 41 + 5 n + 4 groups on the Cortex-M3, 44 + 6 n + 3 groups on the M0+. Two sums
 * of 257 bytes fit a word: n is at most 257.
 *
 *     r1, r2    the sums of words, and of odd bytes       r3, r4    planes left, sums
 *     r5        a word                                    r6, r8    groups left, and of a plane
 *     r7        0x00ff00ff                                r9, r10   bytes to the next plane, the entry
 */
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        push    {r4-r6}
        ldr     r4, [sp, #32]
        subs    r2, r2, r1
        lsls    r2, r2, #2
        mov     r9, r2
        negs    r6, r1
        movs    r5, #3
        ands    r6, r6, r5
#if __ARM_ARCH_ISA_THUMB == 2
        movs    r5, #12
#else
        movs    r5, #10
#endif
        muls    r6, r5, r6
        adr     r5, 2f
        adds    r5, r5, r6
        adds    r5, r5, #1
        mov     r10, r5
        adds    r1, r1, #3
        lsrs    r1, r1, #2
        mov     r8, r1
        movs    r7, #255
        lsls    r5, r7, #16
        orrs    r7, r7, r5
1:      movs    r1, #0
        movs    r2, #0
        mov     r6, r8
        bx      r10
        .p2align 2
2:
        .rept   4
#if __ARM_ARCH_ISA_THUMB == 2
        ldr     r5, [r0], #4
        adds    r1, r1, r5
        and     r5, r7, r5, lsr #8
        adds    r2, r2, r5
#else
        ldm     r0!, {r5}
        adds    r1, r1, r5
        lsrs    r5, r5, #8
        ands    r5, r5, r7
        adds    r2, r2, r5
#endif
        .endr
        subs    r6, r6, #1
        bne     2b
        lsls    r5, r2, #8
        subs    r1, r1, r5
        lsrs    r5, r1, #16
        uxth    r1, r1
        adds    r1, r1, r5
        lsrs    r5, r2, #16
        uxth    r2, r2
        adds    r2, r2, r5
        adds    r1, r1, r2
        stm     r4!, {r1}
        add     r0, r0, r9
        subs    r3, r3, #1
        bne     1b
        pop     {r4-r6}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        pop     {r4-r7, pc}
#endif
        .size   mcugen1_totals_thumb, . - mcugen1_totals_thumb
#endif
