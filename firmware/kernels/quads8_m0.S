/* quads8_m0.S - weights of 8 bits, four outputs at a time, for Armv6-M.
 *
 * A word a + 2^8 b + 2^16 c + 2^24 d of weights plus 128, shifted right by 0, 8, 16 and 24 bits, is multiplied as it is
 * and summed, modulo 2^32:
 *
 *     s0 = A + 2^8 s1    s1 = B + 2^8 s2    s2 = C + 2^8 s3    s3 = D
 *
 * where A is the sum of a * x. So no weight has to be cut out: a shift, a product and a sum each, and the end takes the
 * four apart. Nothing to prove: all of it is exact modulo 2^32.
 *
 *     r0, r1    words, inputs: what is read next
 *     r2        the input
 *     r3-r6     words of four inputs
 *     r7        a product
 *     r8-r11    s0 to s3
 *     r12, lr   the end of the inputs that are taken eight at a time, the sums
 *
 * Eight inputs take 2 * 5 + 8 * 13 + 4 = 118 cycles of 32 products on the Cortex-M0+.
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1 && !defined(__ARM_ARCH_ISA_ARM)

#include "mcugen.h"

/* The frame, in bytes from sp. */
        .equ    X, 0
        .equ    X_END, 4
        .equ    SUMS_END, 8
        .equ    FRAME, 12       /* with 9 registers a multiple of 8 */

        .macro  SUM s, w, by
        lsrs    r7, \w, #\by
        muls    r7, r2, r7
        add     \s, \s, r7
        .endm

        .macro  INPUT w, at
        ldrb    r2, [r1, #\at]
        SUM     r9, \w, 8
        SUM     r10, \w, 16
        SUM     r11, \w, 24
        muls    \w, r2, \w
        add     r8, r8, \w
        .endm

        .macro  FOUR at
        ldm     r0!, {r3-r6}
        INPUT   r3, \at
        INPUT   r4, \at + 1
        INPUT   r5, \at + 2
        INPUT   r6, \at + 3
        .endm

/* The next sum, plus \s less 2^8 \next. */
        .macro  STORE s, next
        mov     r3, \s
        .ifnb   \next
        mov     r4, \next
        lsls    r4, r4, #8
        subs    r3, r3, r4
        .endif
        ldr     r4, [r7]
        adds    r3, r3, r4
        stm     r7!, {r3}
        .endm

/* const uint32_t *mcugen1_quads8_m0(const uint32_t *quads, const uint8_t *x, uint32_t n, uint32_t groups,
 *                                   int32_t *sums) */
        FUNCTION mcugen1_quads8_m0
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        mov     r7, r11
        push    {r4-r7}
        ldr     r4, [sp, #36]           /* sums */
        sub     sp, sp, #FRAME
        mov     lr, r4
        lsls    r3, r3, #4
        adds    r3, r3, r4
        str     r3, [sp, #SUMS_END]
        str     r1, [sp, #X]
        adds    r3, r1, r2
        str     r3, [sp, #X_END]
        lsrs    r2, r2, #3
        lsls    r2, r2, #3
        adds    r2, r2, r1
        mov     r12, r2
1:                                      /* a group */
        movs    r2, #0
        mov     r8, r2
        mov     r9, r2
        mov     r10, r2
        mov     r11, r2
        ldr     r1, [sp, #X]
        cmp     r1, r12
        beq     3f
2:      FOUR    0
        FOUR    4
        adds    r1, r1, #8
        cmp     r1, r12
        bne     2b
3:      ldr     r4, [sp, #X_END]
        b       5f
4:      ldm     r0!, {r3}
        INPUT   r3, 0
        adds    r1, r1, #1
5:      cmp     r1, r4
        bne     4b
        mov     r7, lr
        STORE   r8, r9
        STORE   r9, r10
        STORE   r10, r11
        STORE   r11
        mov     lr, r7
        ldr     r3, [sp, #SUMS_END]
        cmp     r7, r3
        beq     6f
        b       1b                      /* beyond the reach of a conditional branch */
6:      add     sp, sp, #FRAME
        pop     {r4-r7}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
        pop     {r4-r7, pc}
        .size   mcugen1_quads8_m0, . - mcugen1_quads8_m0
#endif
