/* relayout_thumb.S - lanes of as many rows, halos and pad columns put round them on the way, for all Cortex-M.
 *
 * A function for each width up to 8, whose rows go through registers whole. What it reads and writes in a channel, in
 * words: pad; a halo row, if there is one, and pad; rows, each and pad; a halo row and pad. Garbage rows are copied, as
 * they have their value. A halo row above is the last row a lane on, one below the first row a lane back: those are
 * written last, from y, and lie before the next channel's first pixel in y, thus before all of x that is unread.
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_ARCH_ISA_ARM)

#include "mcugen.h"

/* struct mcugen_relayout */
        .equ    FROM_HALO_TOP, 8
        .equ    FROM_PLANE, 12
        .equ    TO, 16
        .equ    CHANNELS, 0
        .equ    ROWS, 6
        .equ    HALO_TOP, 8
        .equ    HALO_BOTTOM, 9
        .equ    PAD_VALUE, 11

#if __ARM_ARCH_ISA_THUMB == 2
/*     r0, r1    from, to                                  r2    rows left
 *     r4-r11    a row                                     r3    bytes of the halo above
 *     r12       pads                                      lr    channels left
 *
 * Cycles of a channel on the Cortex-M4: 29 + (5 + 2 width) rows + 5 + 2 width for a halo, and 5 + width more below.
 */
        .equ    FRAME_ROWS, 0           /* + 1 */
        .equ    FRAME_TOP, 4            /* bytes of the halo above */
        .equ    FRAME_BACK, 8           /* of that and the rows */
        .equ    FRAME_BOTTOM, 12        /* rows of the halo below */
        .equ    FRAME_GAP, 16           /* bytes of x between two channels' rows */
        .equ    FRAME, 20

        .macro  LOAD width, at, up
        .if     \width == 1
        ldr     r4, [\at]
        .ifnb   \up
        adds    \at, \at, #4
        .endif
        .elseif \width == 2
        ldm     \at\up, {r4-r5}
        .elseif \width == 3
        ldm     \at\up, {r4-r6}
        .elseif \width == 4
        ldm     \at\up, {r4-r7}
        .elseif \width == 5
        ldm     \at\up, {r4-r8}
        .elseif \width == 6
        ldm     \at\up, {r4-r9}
        .elseif \width == 7
        ldm     \at\up, {r4-r10}
        .else
        ldm     \at\up, {r4-r11}
        .endif
        .endm

        .macro  STORE width, at         /* and a pad */
        .if     \width == 1
        stm     \at!, {r4, r12}
        .elseif \width == 2
        stm     \at!, {r4-r5, r12}
        .elseif \width == 3
        stm     \at!, {r4-r6, r12}
        .elseif \width == 4
        stm     \at!, {r4-r7, r12}
        .elseif \width == 5
        stm     \at!, {r4-r8, r12}
        .elseif \width == 6
        stm     \at!, {r4-r9, r12}
        .elseif \width == 7
        stm     \at!, {r4-r10, r12}
        .else
        stm     \at!, {r4-r11, r12}
        .endif
        .endm

        .macro  SHIFT width, to, by
        .irp    r, 4, 5, 6, 7, 8, 9, 10, 11
        .if     \r < \width + 4
        orr     r\r, r3, r\r, \to #\by
        .endif
        .endr
        .endm

/* by: bits of a lane; pads of nibbles are the same in all of a byte */
        .macro  HALOS width, by=8, name=halos
        FUNCTION mcugen1_relayout_\name\width
        push    {r4-r11, lr}
        sub     sp, sp, #FRAME
        ldrb    r12, [r0, #TO + PAD_VALUE]
        orr     r12, r12, r12, lsl #8
        orr     r12, r12, r12, lsl #16
        ldrh    lr, [r0, #TO + CHANNELS]
        ldrh    r4, [r0, #TO + ROWS]
        ldrb    r5, [r0, #TO + HALO_TOP]
        ldrb    r6, [r0, #TO + HALO_BOTTOM]
        str     r6, [sp, #FRAME_BOTTOM]
        mov     r7, #4 * (\width + 1)
        mul     r6, r5, r7
        mla     r8, r4, r7, r6
        str     r8, [sp, #FRAME_BACK]
        adds    r7, r4, #1
        strd    r7, r6, [sp, #FRAME_ROWS]
        ldrb    r5, [r0, #FROM_HALO_TOP]
        ldr     r6, [r0, #FROM_PLANE]
        mov     r7, #4 * \width
        mul     r4, r4, r7
        rsb     r6, r4, r6, lsl #2
        str     r6, [sp, #FRAME_GAP]
        mla     r0, r5, r7, r1
        mov     r1, r2
1:      str     r12, [r1], #4
        ldrd    r2, r3, [sp, #FRAME_ROWS]
        add     r1, r1, r3
        lsrs    r2, r2, #1
        bcc     3f                      /* odd rows */
2:      LOAD    \width, r0, !
        STORE   \width, r1
3:      LOAD    \width, r0, !
        STORE   \width, r1
        subs    r2, r2, #1
        bne     2b
        ldr     r2, [sp, #FRAME_BACK]
        subs    r2, r1, r2
        cbz     r3, 4f
        lsr     r3, r12, #32 - \by      /* r4-r11 are the last row */
        SHIFT   \width, lsl, \by
        STORE   \width, r2
4:      ldr     r3, [sp, #FRAME_BOTTOM] /* r2 = row 0 in y */
        cbz     r3, 5f
        LOAD    \width, r2
        lsl     r3, r12, #32 - \by
        SHIFT   \width, lsr, \by
        STORE   \width, r1
5:      ldr     r3, [sp, #FRAME_GAP]
        add     r0, r0, r3
        subs    lr, lr, #1
        bne     1b
        add     sp, sp, #FRAME
        pop     {r4-r11, pc}
        .size   mcugen1_relayout_\name\width, . - mcugen1_relayout_\name\width
        .endm

#else
/*     r0, r1    from, to                                  r8    bytes of the halo above
 *     r2-r6     a row of up to 5 words, else r2-r5 half   r9    of the rows
 *               a row, and r6 where that comes from       r10   the end of the rows in y
 *     r7        pads, or the pad that a shift brings      r11   from
 *                                                         r12   pads
 *                                                         lr    less the bytes from row 0 to the end in y
 *
 * Cycles of a channel on the Cortex-M0+: 37 + (6 + 2 width) rows + 9 + 3 width for a halo above, 10 + 4 width below,
 * and 3 more for two halves of a row.
 */
        .equ    FRAME_CHANNELS, 0
        .equ    FRAME_BOTTOM, 4
        .equ    FRAME_GAP, 8
        .equ    FRAME, 12

        .macro  LOAD width, at
        .if     \width == 1
        ldm     \at!, {r2}
        .elseif \width == 2
        ldm     \at!, {r2-r3}
        .elseif \width == 3
        ldm     \at!, {r2-r4}
        .elseif \width == 4
        ldm     \at!, {r2-r5}
        .else
        ldm     \at!, {r2-r6}
        .endif
        .endm

        .macro  STORE width, at
        .if     \width == 1
        stm     \at!, {r2}
        .elseif \width == 2
        stm     \at!, {r2-r3}
        .elseif \width == 3
        stm     \at!, {r2-r4}
        .else
        stm     \at!, {r2-r5}
        .endif
        .endm

        .macro  STORE_PAD width, at
        .if     \width == 1
        stm     \at!, {r2, r7}
        .elseif \width == 2
        stm     \at!, {r2-r3, r7}
        .elseif \width == 3
        stm     \at!, {r2-r4, r7}
        .elseif \width == 4
        stm     \at!, {r2-r5, r7}
        .else
        stm     \at!, {r2-r7}
        .endif
        .endm

        .macro  SHIFT width, to
        .irp    r, 2, 3, 4, 5, 6
        .if     \r < \width + 2
        \to     r\r, r\r, #8
        orrs    r\r, r\r, r7
        .endif
        .endr
        .endm

        .macro  HALOS width
        .set    LAST, \width            /* words of a row's last piece, and before it */
        .set    FIRST, 0
        .if     \width > 5
        .set    LAST, 4
        .set    FIRST, \width - 4
        .endif
        FUNCTION mcugen1_relayout_halos\width
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        mov     r7, r11
        push    {r4-r7}
        sub     sp, sp, #FRAME
        ldrh    r3, [r0, #TO + CHANNELS]
        str     r3, [sp, #FRAME_CHANNELS]
        ldrb    r3, [r0, #FROM_HALO_TOP]
        movs    r4, #4 * \width
        muls    r3, r4
        adds    r1, r1, r3
        ldrh    r3, [r0, #TO + ROWS]
        muls    r4, r3
        ldr     r5, [r0, #FROM_PLANE]
        lsls    r5, r5, #2
        subs    r5, r5, r4
        str     r5, [sp, #FRAME_GAP]
        ldrb    r5, [r0, #TO + HALO_BOTTOM]
        str     r5, [sp, #FRAME_BOTTOM]
        movs    r4, #4 * (\width + 1)
        muls    r3, r4
        mov     r9, r3
        ldrb    r5, [r0, #TO + HALO_TOP]
        muls    r4, r5
        mov     r8, r4
        adds    r3, r3, r4
        negs    r3, r3
        mov     lr, r3
        ldrb    r7, [r0, #TO + PAD_VALUE]
        lsls    r3, r7, #8
        orrs    r7, r3
        lsls    r3, r7, #16
        orrs    r7, r3
        mov     r12, r7
        movs    r0, r1
        movs    r1, r2
1:      stm     r1!, {r7}
        add     r1, r8
        movs    r2, r1
        add     r2, r9
        mov     r10, r2
2:
        .if     FIRST
        LOAD    FIRST, r0
        STORE   FIRST, r1
        .endif
        LOAD    LAST, r0
        STORE_PAD LAST, r1
        cmp     r1, r10
        bne     2b
        mov     r11, r0
        mov     r0, r1
        add     r0, lr
        mov     r7, r8
        cmp     r7, #0
        beq     4f
        mov     r7, r12
        lsrs    r7, r7, #24
        .if     FIRST
        movs    r6, r1
        subs    r6, r6, #4 * (\width + 1)
        LOAD    FIRST, r6
        SHIFT   FIRST, lsls
        STORE   FIRST, r0
        LOAD    LAST, r6
        .endif
        SHIFT   LAST, lsls              /* of one piece the last row is there still */
        mov     r7, r12
        STORE_PAD LAST, r0
4:      ldr     r7, [sp, #FRAME_BOTTOM] /* r0 = row 0 in y */
        cmp     r7, #0
        beq     5f
        mov     r7, r12
        lsrs    r7, r7, #24
        lsls    r7, r7, #24
        .if     FIRST
        LOAD    FIRST, r0
        SHIFT   FIRST, lsrs
        STORE   FIRST, r1
        .endif
        LOAD    LAST, r0
        SHIFT   LAST, lsrs
        mov     r7, r12
        STORE_PAD LAST, r1
5:      mov     r7, r12
        mov     r0, r11
        ldr     r2, [sp, #FRAME_GAP]
        adds    r0, r0, r2
        ldr     r2, [sp, #FRAME_CHANNELS]
        subs    r2, r2, #1
        str     r2, [sp, #FRAME_CHANNELS]
        bne     1b
        add     sp, sp, #FRAME
        pop     {r4-r7}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
        pop     {r4-r7, pc}
        .size   mcugen1_relayout_halos\width, . - mcugen1_relayout_halos\width
        .endm
#endif

#if __ARM_ARCH_ISA_THUMB == 2
/* A row of lanes in all channels (struct mcugen_rows), each word from a byte of four rows of the other image.
 *
 *     r0, r1-r3     the first of the four rows, and how far behind it the others are
 *     r12           to
 *     r4-r11, lr    pixels, words; what is left of a row
 */
        .equ    WIDTH, 16
        .equ    LANES, 20
        .equ    PLANE, 24
        .equ    OTHER, 28
        .equ    RUN_CHANNELS, 32

        .equ    RUN_WIDTH, 0            /* of the frame: words */
        .equ    RUN_NEXT, 4             /* bytes from behind a row to the next channel's, in x and in y */
        .equ    RUN_SKIP, 8
        .equ    RUN_LEFT, 12            /* channels */
        .equ    RUN_FRAME, 16

        .macro  RUN_BEGIN step          /* r10 = width */
        push    {r4-r11, lr}
        sub     sp, sp, #RUN_FRAME
        ldrd    r10, r5, [r0, #WIDTH]
        ldrd    r6, r7, [r0, #PLANE]
        ldr     r8, [r0, #RUN_CHANNELS]
        add     r12, r2, r5, lsl #2
        sub     r6, r6, r10
        lsls    r6, r6, #2
        .if     \step == 1
        sub     r7, r7, r10
        .else
        sub     r7, r7, r10, lsl #2
        .endif
        strd    r10, r7, [sp, #RUN_WIDTH]
        strd    r6, r8, [sp, #RUN_SKIP]
        mov     r4, r1
        ldm     r0, {r0-r3}
        subs    r1, r1, r0
        subs    r2, r2, r0
        subs    r3, r3, r0
        add     r0, r0, r4
        .endm

        .macro  RUN_END again
        ldrd    r4, r5, [sp, #RUN_NEXT]
        ldr     r6, [sp, #RUN_LEFT]
        add     r0, r0, r4
        add     r12, r12, r5
        subs    r6, r6, #1
        str     r6, [sp, #RUN_LEFT]
        bne     \again
        add     sp, sp, #RUN_FRAME
        pop     {r4-r11, pc}
        .endm

        .macro  BYTES step              /* 10 cycles, 26 bytes */
        ldrb    r4, [r0]
        ldrb    r5, [r0, r1]
        ldrb    r6, [r0, r2]
        ldrb    r7, [r0, r3]
        adds    r0, r0, #\step
        orr     r4, r4, r5, lsl #8
        orr     r4, r4, r6, lsl #16
        orr     r4, r4, r7, lsl #24
        str     r4, [r12], #4
        .endm

/* void mcugen1_relayout_columns_thumb(const struct mcugen_rows *r, const uint8_t *x, uint32_t *y): from other lanes, by
 * groups of 4 words, the first of 1 to 4, which is entered at r11
 */
        FUNCTION mcugen1_relayout_columns_thumb
        RUN_BEGIN 4
        rsb     r4, r10, #0
        and     r4, r4, #3
        movs    r5, #26
        muls    r4, r5, r4
        adr     r11, 2f
        add     r11, r11, r4
        adds    r11, r11, #1
        add     r10, r10, #3
        lsr     r10, r10, #2
1:      mov     lr, r10
        bx      r11
        .p2align 2
2:
        .rept   4
        BYTES   4
        .endr
        subs    lr, lr, #1
        bne     2b
        RUN_END 1b
        .size   mcugen1_relayout_columns_thumb, . - mcugen1_relayout_columns_thumb

/* Four words r4-r7 of as many rows to words a column. With the DSP extension SEL takes bytes 0 and 2 from its first
 * operand, else r11 = 0x00ff00ff.
 */
        .macro  SPREAD
#if defined(__ARM_FEATURE_DSP)
        lsl     r8, r5, #8
        sel     r8, r4, r8              /* a0 b0 a2 b2 */
        lsr     r4, r4, #8
        sel     r4, r4, r5              /* a1 b1 a3 b3 */
        lsl     r9, r7, #8
        sel     r9, r6, r9
        lsr     r6, r6, #8
        sel     r6, r6, r7
        pkhbt   r5, r8, r9, lsl #16
        pkhbt   r7, r4, r6, lsl #16
        pkhtb   r9, r9, r8, asr #16
        pkhtb   r6, r6, r4, asr #16
        str     r5, [r12], #4
        str     r7, [r12], #4
#else
        and     r8, r4, r11
        and     r9, r5, r11
        orr     r8, r8, r9, lsl #8
        and     r4, r11, r4, lsr #8
        and     r5, r11, r5, lsr #8
        orr     r4, r4, r5, lsl #8
        and     r9, r6, r11
        and     r10, r7, r11
        orr     r9, r9, r10, lsl #8
        and     r6, r11, r6, lsr #8
        and     r7, r11, r7, lsr #8
        orr     r6, r6, r7, lsl #8
        lsr     r5, r8, #16
        bfi     r8, r9, #16, #16
        bfi     r9, r5, #0, #16
        lsr     r5, r4, #16
        bfi     r4, r6, #16, #16
        bfi     r6, r5, #0, #16
        str     r8, [r12], #4
        str     r4, [r12], #4
#endif
        str     r9, [r12], #4
        str     r6, [r12], #4
        .endm

        .macro  FOURS                   /* 22 cycles for four with the DSP extension, else 28 */
        ldr     r4, [r0]
        ldr     r5, [r0, r1]
        ldr     r6, [r0, r2]
        ldr     r7, [r0, r3]
        adds    r0, r0, #4
        SPREAD
        .endm

/* void mcugen1_relayout_spread_thumb(const struct mcugen_rows *r, const uint8_t *x, uint32_t *y): from a flat image, of
 * any alignment
 */
        FUNCTION mcugen1_relayout_spread_thumb
        RUN_BEGIN 1
        mov     r11, #0x00ff00ff
#if defined(__ARM_FEATURE_DSP)
        mov     r10, #0x01010101
        uadd8   r10, r11, r10           /* GE: bytes 0 and 2 carry */
#endif
1:      ldr     lr, [sp, #RUN_WIDTH]
        lsrs    lr, lr, #2
        beq     4f
        add     lr, lr, #1
        lsrs    lr, lr, #1
        bcc     3f                      /* an odd number of fours */
2:      FOURS
3:      FOURS
        subs    lr, lr, #1
        bne     2b
4:      ldr     lr, [sp, #RUN_WIDTH]
        ands    lr, lr, #3
        beq     6f
5:      BYTES   1
        subs    lr, lr, #1
        bne     5b
6:      RUN_END 1b
        .size   mcugen1_relayout_spread_thumb, . - mcugen1_relayout_spread_thumb
#endif

/* void mcugen1_words_thumb(const uint32_t *from, uint32_t *to, uint32_t n): runs of words. Cycles on the Cortex-M4:
 * 22 for eight words, and about 45; on the Cortex-M0+ 13 for four, and about 30.
 */
        FUNCTION mcugen1_words_thumb
#if __ARM_ARCH_ISA_THUMB == 2
        push    {r4-r11}
        subs    r2, r2, #8
        bcc     2f
1:      ldm     r0!, {r4-r11}
        stm     r1!, {r4-r11}
        subs    r2, r2, #8
        bcs     1b
2:      lsls    r2, r2, #30             /* carry and sign: bits 2 and 1 of n; -8 more leaves them */
        bcc     3f
        ldm     r0!, {r4-r7}
        stm     r1!, {r4-r7}
3:      lsls    r2, r2, #1
        bcc     4f
        ldm     r0!, {r4-r5}
        stm     r1!, {r4-r5}
4:      cmp     r2, #0
        beq     5f
        ldr     r4, [r0]
        str     r4, [r1]
5:      pop     {r4-r11}
        bx      lr
#else
        push    {r4-r6, lr}
        subs    r2, r2, #4
        bcc     2f
1:      ldm     r0!, {r3-r6}
        stm     r1!, {r3-r6}
        subs    r2, r2, #4
        bcs     1b
2:      lsls    r2, r2, #31             /* carry and zero: bits 1 and 0 of n; -4 more leaves them */
        beq     3f
        ldm     r0!, {r3}
        stm     r1!, {r3}
3:      bcc     4f
        ldm     r0!, {r3-r4}
        stm     r1!, {r3-r4}
4:      pop     {r4-r6, pc}
#endif
        .size   mcugen1_words_thumb, . - mcugen1_words_thumb

/* void mcugen1_relayout_halos1(const struct mcugen_relayout *k, const void *x, void *y), and so on */
        HALOS   1
        HALOS   2
        HALOS   3
        HALOS   4
        HALOS   5
        HALOS   6
        HALOS   7
        HALOS   8
#if __ARM_ARCH_ISA_THUMB == 2
/* void mcugen1_relayout_nibble_halos1(const struct mcugen_relayout *k, const void *x, void *y), and so on */
        HALOS   1, 4, nibble_halos
        HALOS   2, 4, nibble_halos
        HALOS   3, 4, nibble_halos
        HALOS   4, 4, nibble_halos
        HALOS   5, 4, nibble_halos
        HALOS   6, 4, nibble_halos
        HALOS   7, 4, nibble_halos
        HALOS   8, 4, nibble_halos
#endif
#endif
