/* relayout_dsp.S - four lanes to three that are a third longer, and back: three words are four.
 *
 * 12 rows from lanes of 3 rows to lanes of 4, as a step of 2 towards 3 rows wants them: a column is three words in x
 * and four in y.
 *
 *     x, by bytes:  0 3 6 9   1 4 7 10   2 5 8 11       y:  0 4 8 -   1 5 9 -   2 6 10 -   3 7 11 -
 *
 * With bytes 0 and 2 from one word of x and 1 and 3 from the next, SEL brings together what goes to two words of y.
 *
 * An image of 6 x 6 pixels between rows, 12 words of which lane 3 is garbage, and runs, 9 words: three pixels for a
 * row.
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
        .equ    HALO_TOP, 8
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

        .macro  ODD_EVEN a, b           /* GE: SEL takes bytes 0 and 2 from its first operand */
        mov     \a, #0x00ff00ff
        mov     \b, #0x01010101
        uadd8   \a, \a, \b
        .endm

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
        ODD_EVEN r8, r9
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

/* void mcugen1_relayout_12to9(const struct mcugen_relayout *k, const void *x, void *y): rows without halos and pads.
 * Cycles of a channel on the Cortex-M4: 57.
 *
 *     r0, r1    x, y                  r4-r7     words j, 3 + j, 6 + j, 9 + j          r8-r12    what SEL finds
 *     r2        channels left
 */
        FUNCTION mcugen1_relayout_12to9
        push    {r4-r11, lr}
        ODD_EVEN r4, r5
        ldrh    r3, [r0, #TO + CHANNELS]
        mov     r0, r1
        mov     r1, r2
        mov     r2, r3
1:
        .irp    j, 0, 1, 2
        ldr     r4, [r0, #4 * \j]       /* pixels j, 12 + j, 24 + j */
        ldr     r5, [r0, #4 * (\j + 3)]
        ldr     r6, [r0, #4 * (\j + 6)]
        ldr     r7, [r0, #4 * (\j + 9)]
        lsls    r3, r7, #8
        sel     r3, r4, r3              /* j, 9 + j, 24 + j, 33 + j */
        sel     r8, r5, r6              /* 3 + j, 18 + j, 27 + j, - */
        sel     r9, r6, r5              /* 6 + j, 15 + j, 30 + j, - */
        sel     r10, r5, r4             /* 3 + j, 12 + j, 27 + j, - */
        sel     r11, r6, r7             /* 6 + j, 21 + j, 30 + j, - */
        pkhbt   r8, r3, r8, lsl #8
        str     r8, [r1, #4 * \j]
        pkhbt   r10, r10, r11, lsl #8
        str     r10, [r1, #4 * (\j + 3)]
        pkhbt   r9, r9, r3
        str     r9, [r1, #4 * (\j + 6)]
        .endr
        adds    r0, r0, #4 * 12
        adds    r1, r1, #4 * 9
        subs    r2, r2, #1
        bne     1b
        pop     {r4-r11, pc}
        .size   mcugen1_relayout_12to9, . - mcugen1_relayout_12to9

/* A word of y, and of a halo row what it is a lane on (lsl) or back: where there is no such row, `halo` is the word's
 * own row, hence first.
 */
        .macro  WORD row, at, halo, to, pad
        .ifnb   \halo
        orr     r7, \pad, r8, \to #8
        str     r7, [\halo, #4 * (\at)]
        .endif
        str     r8, [r1, #\row + 4 * (\at)]
        .endm

/* Three words of x to four of y, three times; r12 = a pad in the highest byte, r10 in the lowest, lr in all. */
        .macro  PIXELS row, top, bottom
        .irp    j, 0, 1, 2
        ldr     r4, [r0, #4 * \j]       /* pixels j, 9 + j, 18 + j, 27 + j */
        ldr     r5, [r0, #4 * (\j + 3)]
        ldr     r6, [r0, #4 * (\j + 6)]
        sel     r8, r4, r5              /* j, 12 + j, ... */
        sel     r7, r6, lr              /* ..., 24 + j, - */
        pkhbt   r8, r8, r7
        WORD    0, \j, \bottom, lsr, r12
        orr     r4, r12, r4, lsr #8     /* 9 + j, 18 + j, 27 + j, - */
        sel     r8, r5, r6              /* 3 + j, 15 + j, ... */
        pkhbt   r8, r8, r4
        WORD    0, \j + 3, \bottom, lsr, r12
        orr     r5, r12, r5, lsr #8     /* 12 + j, 21 + j, 30 + j, - */
        sel     r8, r6, r4              /* 6 + j, 18 + j, ... */
        pkhbt   r8, r8, r5
        WORD    \row, \j, \top, lsl, r10
        orr     r6, r12, r6, lsr #8     /* 15 + j, 24 + j, 33 + j, - */
        sel     r8, r4, r5              /* 9 + j, 21 + j, ... */
        pkhbt   r8, r8, r6
        WORD    \row, \j + 3, \top, lsl, r10
        .endr
        adds    r0, r0, #4 * 9
        .endm

        .macro  BEGIN
        push    {r4-r11, lr}
        ODD_EVEN r4, r5
        ldrb    r10, [r0, #TO + PAD_VALUE]
        orr     lr, r10, r10, lsl #8
        orr     lr, lr, lr, lsl #16
        lsl     r12, r10, #24
        ldrh    r11, [r0, #TO + CHANNELS]
        .endm

/* void mcugen1_relayout_9to12(const struct mcugen_relayout *k, const void *x, void *y): to no halos and pads.
 * Cycles of a channel on the Cortex-M4: 66.
 *
 *     r0, r1    x, y                  r4-r6     words of x                            r11       channels left
 */
        FUNCTION mcugen1_relayout_9to12
        BEGIN
        mov     r0, r1
        mov     r1, r2
1:      PIXELS  24
        adds    r1, r1, #4 * 12
        subs    r11, r11, #1
        bne     1b
        pop     {r4-r11, pc}
        .size   mcugen1_relayout_9to12, . - mcugen1_relayout_9to12

/* void mcugen1_relayout_9to12_halos(const struct mcugen_relayout *k, const void *x, void *y): to one pad column and at
 * most one halo row above and below. Cycles of a channel on the Cortex-M4: 97.
 *
 *     r0        x                     r2        the halo above in y, or row 1         r9        bytes of a channel of y
 *     r1        row 0 in y            r3        the halo below, or row 0
 */
        FUNCTION mcugen1_relayout_9to12_halos
        BEGIN
        ldrb    r4, [r0, #TO + HALO_TOP]
        ldrb    r5, [r0, #TO + HALO_BOTTOM]
        ldr     r9, [r0, #TO + PLANE]
        lsl     r9, r9, #2
        mov     r0, r1
        adds    r2, r2, #4
        mov     r1, r2
        mov     r3, r2
        cbz     r4, 1f
        adds    r1, r1, #28
        mov     r3, r1
        b       2f
1:      adds    r2, r2, #28
2:      cbz     r5, 3f
        adds    r3, r3, #56
3:      str     lr, [r1, #-4]
        str     lr, [r1, #24]
        str     lr, [r1, #52]
        str     lr, [r2, #-4]
        str     lr, [r3, #24]
        PIXELS  28, r2, r3
        add     r1, r1, r9
        add     r2, r2, r9
        add     r3, r3, r9
        subs    r11, r11, #1
        bne     3b
        pop     {r4-r11, pc}
        .size   mcugen1_relayout_9to12_halos, . - mcugen1_relayout_9to12_halos
#endif
