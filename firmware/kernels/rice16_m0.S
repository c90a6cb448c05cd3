/* rice16_m0.S - sums by a Rice code, for Armv6-M.
 *
 *     r0        bits of the code, the next one highest, and zeros behind them
 *     r1        how many, less 16: not negative before each entry and after each of its ones
 *     r2        where the entry's input is, from the end of x
 *     r3        the sum, modulo 2^32
 *     r4        the end of x
 *     r5-r7     scratch
 *     r8-r10    k, 32 - k, k + 2
 *     r11       1 << k
 *     r12       what is read next
 *     lr        n
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1 && !defined(__ARM_ARCH_ISA_ARM)

#include "mcugen.h"

/* The frame, in bytes from sp. */
        .equ    STATE, 0
        .equ    SUMS, 4         /* where the next sum goes, and the end of them */
        .equ    SUMS_END, 8
        .equ    FRAME, 12

/* 16 more bits: 10 cycles. */
        .macro  FILL
        mov     r6, r12
        ldrh    r5, [r6]
        adds    r6, r6, #2
        mov     r12, r6
        lsls    r5, r5, #16
        adds    r1, r1, #16
        lsrs    r5, r5, r1
        orrs    r0, r0, r5
        .endm

/* void mcugen1_rice16_m0(struct mcugen_rice16 *s, const uint8_t *x, uint32_t n, uint32_t count, int32_t *sums)
 *
 * On the Cortex-M0+ an entry takes 19 cycles, and 6 for each of its ones; 16 bits take 12, an output 24.
 */
        FUNCTION mcugen1_rice16_m0
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        mov     r7, r11
        push    {r4-r7}
        ldr     r4, [sp, #36]           /* sums */
        sub     sp, sp, #FRAME
        lsls    r3, r3, #2
        adds    r3, r3, r4
        str     r0, [sp, #STATE]
        str     r4, [sp, #SUMS]
        str     r3, [sp, #SUMS_END]
        mov     lr, r2
        adds    r4, r1, r2
        movs    r7, r0
        ldr     r6, [r7]                /* next */
        mov     r12, r6
        ldr     r6, [r7, #20]           /* k */
        mov     r8, r6
        adds    r5, r6, #2
        mov     r10, r5
        movs    r5, #1
        lsls    r5, r5, r6
        mov     r11, r5
        movs    r5, #32
        subs    r5, r5, r6
        mov     r9, r5
        ldr     r0, [r7, #4]            /* bits */
        ldr     r1, [r7, #8]            /* left */
        ldr     r2, [r7, #12]           /* at */
        movs    r3, #0
        cmp     r2, #0
        bpl     7f                      /* the entry read last belongs here, or to a later output */
        b       5f                      /* the first output: there are no bits yet */

4:      add     r2, r2, r11             /* a one */
        subs    r1, r1, #1
        bmi     5f
1:      lsls    r0, r0, #1              /* an entry */
        bcs     4b
        movs    r5, r0
        mov     r6, r9
        lsrs    r5, r5, r6              /* shifts by 32 give 0 */
        adds    r2, r2, #1
        adds    r2, r2, r5
        bpl     6f
3:      mov     r6, r8
        lsls    r0, r0, r6
        ldrb    r5, [r4, r2]
        mov     r6, r10
        subs    r1, r1, r6
        lsls    r0, r0, #1              /* the sign */
        bcs     2f
        adds    r3, r3, r5
        cmp     r1, #0
        bpl     1b
5:      FILL
        b       1b
2:      subs    r3, r3, r5
        cmp     r1, #0
        bpl     1b
        b       5b

6:      ldr     r6, [sp, #SUMS]         /* the entry is in a later output */
        stm     r6!, {r3}
        str     r6, [sp, #SUMS]
        movs    r3, #0
        ldr     r5, [sp, #SUMS_END]
        cmp     r6, r5
        beq     8f
7:      mov     r5, lr
        subs    r2, r2, r5
        bpl     6b
        b       3b

8:      ldr     r7, [sp, #STATE]
        mov     r6, r12
        str     r6, [r7]
        str     r0, [r7, #4]
        str     r1, [r7, #8]
        str     r2, [r7, #12]
        add     sp, sp, #FRAME
        pop     {r4-r7}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
        pop     {r4-r7, pc}
        .size   mcugen1_rice16_m0, . - mcugen1_rice16_m0
#endif
