/* dot_mve.S - 16 products an instruction with Helium, which multiplies bytes of the same kind only:
 *
 *     sum of x * w = sum of x * (w + 128) - 128 * sum of x
 *
 * Both are at most 255 * 255 * n, modulo 2^32, and so is what remains, which fits.
 */
/* clang-format off */
#if defined(__ARM_FEATURE_MVE)

#include "mcugen.h"

/* int32_t mcugen1_dot_mve(const uint8_t *x, const int8_t *w, uint32_t n): 9 instructions, 6 for 16 products */
        FUNCTION mcugen1_dot_mve
        push    {r4, lr}
        mov     r3, r0
        movs    r0, #0
        movs    r4, #0
        vmov.i8 q3, #128
        wlstp.8 lr, r2, 2f
1:      vldrb.u8 q0, [r3], #16
        vldrb.u8 q1, [r1], #16
        veor    q1, q1, q3
        vmladava.u8 r0, q0, q1
        vaddva.u8 r4, q0
        letp    lr, 1b
2:      sub     r0, r0, r4, lsl #7
        pop     {r4, pc}
        .size   mcugen1_dot_mve, . - mcugen1_dot_mve

/* void mcugen1_dot4_mve(const uint8_t *x, const int8_t *w, uint32_t n, int32_t less, int32_t *sums): of x and four
 * rows of n weights, one behind the other; less = 128 * sum of x. 24 instructions, 14 for 64 products.
 */
        FUNCTION mcugen1_dot4_mve
        push    {r4-r11, lr}
        rsbs    r4, r3, #0
        mov     r6, r4
        mov     r8, r4
        mov     r10, r4
        add     r3, r1, r2
        add     r5, r3, r2
        add     r7, r5, r2
        vmov.i8 q3, #128
        wlstp.8 lr, r2, 2f
1:      vldrb.u8 q0, [r0], #16
        vldrb.u8 q1, [r1], #16
        vldrb.u8 q2, [r3], #16
        veor    q1, q1, q3
        vmladava.u8 r4, q0, q1
        veor    q2, q2, q3
        vmladava.u8 r6, q0, q2
        vldrb.u8 q1, [r5], #16
        vldrb.u8 q2, [r7], #16
        veor    q1, q1, q3
        vmladava.u8 r8, q0, q1
        veor    q2, q2, q3
        vmladava.u8 r10, q0, q2
        letp    lr, 1b
2:      ldr     r0, [sp, #36]
        stm     r0, {r4, r6, r8, r10}
        pop     {r4-r11, pc}
        .size   mcugen1_dot4_mve, . - mcugen1_dot4_mve
#endif
