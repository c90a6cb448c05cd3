/* relayout_mve.S - rows of words with Helium, four at a time. */
/* clang-format off */
#if defined(__ARM_FEATURE_MVE)

#include "mcugen.h"

/* void mcugen1_spread_mve(const uint8_t *const *rows, uint32_t *to, uint32_t n): pixels of four rows to words */
        FUNCTION mcugen1_spread_mve
        push    {r4-r6, lr}
        ldm     r0, {r3-r6}
        wlstp.32 lr, r2, 2f
1:      vldrb.u32 q0, [r3], #4
        vldrb.u32 q1, [r4], #4
        vldrb.u32 q2, [r5], #4
        vldrb.u32 q3, [r6], #4
        vsli.32 q0, q1, #8
        vsli.32 q0, q2, #16
        vsli.32 q0, q3, #24
        vstrw.32 q0, [r1], #16
        letp    lr, 1b
2:      pop     {r4-r6, pc}
        .size   mcugen1_spread_mve, . - mcugen1_spread_mve

/* void mcugen1_gather_mve(const uint32_t *from, uint8_t *y, uint32_t step, uint32_t lanes, uint32_t n): words to that
 * many rows, `step` bytes apart
 */
        FUNCTION mcugen1_gather_mve
        push    {r4-r6, lr}
        ldr     r12, [sp, #16]
        movs    r4, #0                  /* 8 for each lane behind, to the right */
3:      mov     r5, r0
        mov     r6, r1
        wlstp.32 lr, r12, 2f
1:      vldrw.u32 q0, [r5], #16
        vshl.u32 q0, r4
        vstrb.32 q0, [r6], #4
        letp    lr, 1b
2:      subs    r4, r4, #8
        add     r1, r1, r2
        subs    r3, r3, #1
        bne     3b
        pop     {r4-r6, pc}
        .size   mcugen1_gather_mve, . - mcugen1_gather_mve

/* void mcugen1_words_mve(const uint32_t *from, uint32_t *to, uint32_t n) */
        FUNCTION mcugen1_words_mve
        push    {r4, lr}
        wlstp.32 lr, r2, 2f
1:      vldrw.u32 q0, [r0], #16
        vstrw.32 q0, [r1], #16
        letp    lr, 1b
2:      pop     {r4, pc}
        .size   mcugen1_words_mve, . - mcugen1_words_mve
#endif
