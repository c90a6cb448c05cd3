/* relayout_dsp.S - 12 rows from lanes of 3 rows to lanes of 4, as a step of 2 towards 3 rows wants them: a column is three
 * words in x and four in y.
 *
 *     x, by bytes:  0 3 6 9   1 4 7 10   2 5 8 11       y:  0 4 8 -   1 5 9 -   2 6 10 -   3 7 11 -
 *
 * With bytes 0 and 2 from one word of x and 1 and 3 from the next, SEL brings together what goes to two words of y.
 */
/* clang-format off */
#if defined(__ARM_FEATURE_DSP) && defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_ARCH_ISA_ARM)

#include "mcugen.h"

/* struct mcugen_relayout */
        .equ    WIDTH, 4
        .equ    FROM_HALO_TOP, 8
        .equ    FROM_PADS, 10
        .equ    FROM_PLANE, 12
        .equ    TO, 16
        .equ    CHANNELS, 0
        .equ    HALO_BOTTOM, 9
        .equ    PAD_VALUE, 11
        .equ    PLANE, 12

        .equ    FRAME_WIDTH, 0
        .equ    FRAME_LEFT, 4           /* channels */
        .equ    FRAME_NEXT, 8           /* bytes from behind a row to the next channel's, in x and in y */
        .equ    FRAME_SKIP, 12
        .equ    FRAME_PADS, 16
        .equ    FRAME_TO, 20            /* struct mcugen_lanes, y's plane 0 */
        .equ    FRAME_Y, 24
        .equ    FRAME, 28

/* void mcugen1_relayout_3to4(const struct mcugen_relayout *k, const void *x, void *y): no halo above, one below at most,
 * one pad column, at least 4 columns. Cycles of a channel on the Cortex-M4: 27 + 25 columns, and the halo.
 *
 *     r0        x                     r3-r6     the next words of four rows in y      r8-r12    pixels
 *     r1, r2    bytes to two rows     r7        a pad in the highest byte             lr        columns left
 */
        FUNCTION mcugen1_relayout_3to4
        push    {r4-r11, lr}
        sub     sp, sp, #FRAME
        ldrb    r7, [r0, #TO + PAD_VALUE]
        orr     r8, r7, r7, lsl #8
        orr     r8, r8, r8, lsl #16
        str     r8, [sp, #FRAME_PADS]
        lsls    r7, r7, #24
        ldrh    r9, [r0, #WIDTH]
        ldrh    r10, [r0, #TO + CHANNELS]
        strd    r9, r10, [sp, #FRAME_WIDTH]
        ldr     r10, [r0, #FROM_PLANE]
        sub     r10, r10, r9
        lsl     r10, r10, #2
        ldr     r11, [r0, #TO + PLANE]
        sub     r11, r11, r9
        subs    r11, r11, #1
        lsl     r11, r11, #2
        strd    r10, r11, [sp, #FRAME_NEXT]
        add     r10, r0, #TO
        strd    r10, r2, [sp, #FRAME_TO]
        ldrb    r10, [r0, #FROM_PADS]
        ldrb    r11, [r0, #FROM_HALO_TOP]
        add     r12, r9, r10            /* x's pitch */
        mla     r10, r11, r12, r10
        add     r0, r1, r10, lsl #2
        lsl     r1, r12, #2
        adds    r9, r9, #1              /* y's */
        adds    r3, r2, #4
        lsl     r2, r12, #3
        add     r4, r3, r9, lsl #2
        add     r5, r4, r9, lsl #2
        add     r6, r5, r9, lsl #2
        mov     r8, #0x00ff00ff
        mov     r9, #0x01010101
        uadd8   r8, r8, r9              /* GE: SEL takes bytes 0 and 2 from its first operand */
1:      ldr     r8, [sp, #FRAME_PADS]
        str     r8, [r3, #-4]
        ldr     lr, [sp, #FRAME_WIDTH]
2:      ldr     r8, [r0]
        ldr     r9, [r0, r1]
        ldr     r10, [r0, r2]
        adds    r0, r0, #4
        sel     r11, r8, r9             /* 0 4 6 10 */
        sel     r9, r9, r10             /* 1 5 7 11 */
        sel     r10, r10, r8            /* 2 3 8 9 */
        uxtb16  r8, r10                 /* 2 - 8 - */
        orr     r8, r8, r7
        pkhbt   r8, r11, r8
        str     r8, [r3], #4
        orr     r8, r7, r10, lsr #8     /* 3 8 9 - */
        pkhbt   r12, r9, r8
        str     r12, [r4], #4
        orr     r12, r7, r11, lsr #8    /* 4 6 10 - */
        bfi     r12, r10, #0, #8
        str     r12, [r5], #4
        orr     r12, r7, r9, lsr #8     /* 5 7 11 - */
        bfi     r12, r8, #0, #8
        str     r12, [r6], #4
        subs    lr, lr, #1
        bne     2b
        ldr     r8, [sp, #FRAME_PADS]
        str     r8, [r3], #4
        str     r8, [r4], #4
        str     r8, [r5], #4
        str     r8, [r6], #4
        ldrd    r8, r9, [sp, #FRAME_NEXT]
        add     r0, r0, r8
        add     r3, r3, r9
        add     r4, r4, r9
        add     r5, r5, r9
        add     r6, r6, r9
        ldr     r8, [sp, #FRAME_LEFT]
        subs    r8, r8, #1
        str     r8, [sp, #FRAME_LEFT]
        bne     1b
        ldrd    r0, r1, [sp, #FRAME_TO]
        ldrb    r3, [r0, #HALO_BOTTOM]
        ldr     r2, [sp, #FRAME_WIDTH]
        cbz     r3, 3f
        adds    r2, r2, #1              /* with its pad */
        lsls    r3, r2, #2
        adds    r1, r1, #4
        add     r1, r1, r3, lsl #2
        bl      mcugen1_lanes_below_thumb
3:      add     sp, sp, #FRAME
        pop     {r4-r11, pc}
        .size   mcugen1_relayout_3to4, . - mcugen1_relayout_3to4
#endif
