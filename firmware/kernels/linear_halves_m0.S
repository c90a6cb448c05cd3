/* linear_halves_m0.S - sums to elements of 2 bytes for Armv6-M: 30 cycles an output on the Cortex-M0+.
 *
 *     r0        y, of any alignment
 *     r1, r2    the output's mult, its add << 5 | shift
 *     r3, r12   its sum, and where the sums end
 *     r7        31
 *     r8, r9    lo, hi
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1 && !defined(__ARM_ARCH_ISA_ARM)

#include "mcugen.h"

/* void mcugen1_linear_halves(const struct mcugen_tail *tail, uint32_t first, uint32_t count, const int32_t *sums,
 *                            void *y) */
        FUNCTION mcugen1_linear_halves
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        push    {r4-r5}
        lsls    r4, r2, #2
        adds    r4, r4, r3
        mov     r12, r4
        ldr     r4, [r0, #12]
        mov     r8, r4
        ldr     r4, [r0, #16]
        mov     r9, r4
        ldr     r4, [r0]                /* mult */
        ldr     r2, [r0, #4]            /* add */
        ldr     r0, [sp, #28]           /* y */
        movs    r7, #31
        lsls    r1, r1, #1
        adds    r0, r0, r1
        adds    r2, r2, r1
        adds    r2, r2, r1
        adds    r1, r1, r4
1:      ldm     r3!, {r4}
        ldm     r2!, {r5}
        movs    r6, #0
        ldrsh   r6, [r1, r6]
        adds    r1, r1, #2
        muls    r4, r6, r4              /* fits 32 bits: wide is 0 */
        asrs    r6, r5, #5
        adds    r4, r4, r6
        ands    r5, r5, r7
        asrs    r4, r4, r5
        cmp     r4, r8
        blt     3f
        cmp     r4, r9
        bgt     4f
2:      strb    r4, [r0]
        asrs    r4, r4, #8
        strb    r4, [r0, #1]
        adds    r0, r0, #2
        cmp     r3, r12
        bne     1b
        pop     {r4-r5}
        mov     r8, r4
        mov     r9, r5
        pop     {r4-r7, pc}
3:      mov     r4, r8
        b       2b
4:      mov     r4, r9
        b       2b
        .size   mcugen1_linear_halves, . - mcugen1_linear_halves
#endif
