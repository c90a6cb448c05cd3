/* window_dsp.h - a strip of one or two words, for cores with the DSP extension: two products an instruction.
 *
 *     r4-r7     sums of lanes 0, 1, 2, 3 of the first word        r3   address of the row's first pixels
 *     r8-r11    of the second word                                r12  a mask of two pixels
 *     r0-r2     words of x, and pixels taken from them            lr   two weights
 *
 * As in direct_dsp.h the words of two neighbouring pixels are shuffled to pairs of bytes, (a, b) of one lane in the
 * halves of a register, which serve both words of y. A row of weights w0, w1, w2 is two words of the frame: w0 with w1
 * in the upper half, w1 with w2. Cycles are those of all lanes; where LANES is 3, there is nothing in the highest, and
 * r7 and r11 are not used.
 */
/* clang-format off */
#ifndef MCUGEN_WINDOW_DSP_H
#define MCUGEN_WINDOW_DSP_H
#ifdef __ASSEMBLER__

/* Pixels are multiplied by 2^6 when they are taken from a word, so that the bits of `up`, which are about 10, fit 16 bits
 * with the weights.
 */
        .equ    PIXEL_BITS, 6
        .equ    MASK, 0x00ff00ff << PIXEL_BITS

        .macro  START
        movw    r12, #:lower16:MASK
        movt    r12, #:upper16:MASK
        .endm

/* A row of weights, scaled by r2 bits: 11 cycles. */
        .macro  WEIGHT_ROW row
        ldrsb   r5, [r0, #3 * \row]
        ldrsb   r6, [r0, #3 * \row + 1]
        ldrsb   r7, [r0, #3 * \row + 2]
        lsl     r5, r5, r2
        lsl     r6, r6, r2
        lsl     r7, r7, r2
        pkhbt   r5, r5, r6, lsl #16
        pkhbt   r6, r6, r7, lsl #16
        str     r5, [sp, #WEIGHTS + 8 * \row]
        str     r6, [sp, #WEIGHTS + 8 * \row + 4]
        .endm

        .macro  PREPARE
        ubfx    r2, r5, #8, #8
        eor     r5, r5, #PIXEL_BITS
        str     r5, [sp, #SCALE]
        str     r6, [sp, #MORE]
        WEIGHT_ROW 0
        WEIGHT_ROW 1
        WEIGHT_ROW 2
        .endm

        .macro  BEGIN
        .if     LANES < 4
        ldr     r11, [sp, #PITCH]
        .endif
        .endm

/* From words in r0, r1 the pairs of lanes 0, 1 in r0, r2; then, by UPPER, those of lanes 2, 3 in r0, r1: 6 cycles. */
        .macro  LOWER
        pkhbt   r2, r0, r1, lsl #16
        pkhtb   r1, r1, r0, asr #16
        and     r0, r12, r2, lsl #PIXEL_BITS
        and     r2, r12, r2, ror #8 - PIXEL_BITS
        .endm

        .macro  UPPER
        and     r0, r12, r1, lsl #PIXEL_BITS
        and     r1, r12, r1, ror #8 - PIXEL_BITS
        .endm

/* \v = the product of a and b if \begin, else \v + the product. */
        .macro  SUM begin, set, add, v, a, b
        .if     \begin
        \set    \v, \a, \b
        .else
        \add    \v, \a, \b, \v
        .endif
        .endm

/* A row for both words with a step of 1: 18 + 20 cycles. */
        .macro  ROW_1 row, begin
        ldr     r0, [r3]
        ldr     r1, [r3, #4]
        ldr     lr, [sp, #WEIGHTS + 8 * \row]
        LOWER
        SUM     \begin, smuad, smlad, r4, r0, lr
        SUM     \begin, smultb, smlatb, r8, r0, lr
        SUM     \begin, smuad, smlad, r5, r2, lr
        SUM     \begin, smultb, smlatb, r9, r2, lr
        UPPER
        SUM     \begin, smuad, smlad, r6, r0, lr
        SUM     \begin, smultb, smlatb, r10, r0, lr
        SUM     \begin, smuad, smlad, r7, r1, lr
        SUM     \begin, smultb, smlatb, r11, r1, lr
        ldr     r0, [r3, #8]
        ldr     r1, [r3, #12]
        ldr     lr, [sp, #WEIGHTS + 8 * \row + 4]
        ldr     r2, [sp, #PITCH]
        NEXT_ROW \row, r2
        LOWER
        smlabt  r4, r0, lr, r4
        smlad   r8, r0, lr, r8
        smlabt  r5, r2, lr, r5
        smlad   r9, r2, lr, r9
        UPPER
        smlabt  r6, r0, lr, r6
        smlad   r10, r0, lr, r10
        smlabt  r7, r1, lr, r7
        smlad   r11, r1, lr, r11
        .endm

/* With a step of 2: pixels 0, 1; 2, which both words share; 3, 4. 14 + 8 + 6 + 15 cycles. */
        .macro  ROW_2 row, begin
        ldr     r0, [r3]
        ldr     r1, [r3, #4]
        ldr     lr, [sp, #WEIGHTS + 8 * \row]
        LOWER
        SUM     \begin, smuad, smlad, r4, r0, lr
        SUM     \begin, smuad, smlad, r5, r2, lr
        UPPER
        SUM     \begin, smuad, smlad, r6, r0, lr
        SUM     \begin, smuad, smlad, r7, r1, lr
        ldr     r0, [r3, #8]
        and     r2, r12, r0, lsl #PIXEL_BITS
        and     r0, r12, r0, ror #8 - PIXEL_BITS
        SUM     \begin, smulbb, smlabb, r8, r2, lr
        SUM     \begin, smultb, smlatb, r10, r2, lr
        SUM     \begin, smulbb, smlabb, r9, r0, lr
        SUM     \begin, smultb, smlatb, r11, r0, lr
        ldr     lr, [sp, #WEIGHTS + 8 * \row + 4]
        smlabt  r4, r2, lr, r4
        smlatt  r6, r2, lr, r6
        smlabt  r5, r0, lr, r5
        smlatt  r7, r0, lr, r7
        ldr     r0, [r3, #12]
        ldr     r1, [r3, #16]
        ldr     r2, [sp, #PITCH]
        NEXT_ROW \row, r2
        LOWER
        smlad   r8, r0, lr, r8
        smlad   r9, r2, lr, r9
        UPPER
        smlad   r10, r0, lr, r10
        smlad   r11, r1, lr, r11
        .endm

/* With three lanes r7 and r11 are free, for the second word of weights and the pitch. */

/* From words in r0, r1 the pairs of lanes 0, 1, 2 in r0, r2, r1: 5 cycles. */
        .macro  PAIRS
        pkhbt   r2, r0, r1, lsl #16
        pkhtb   r1, r1, r0, asr #16
        and     r0, r12, r2, lsl #PIXEL_BITS
        and     r2, r12, r2, ror #8 - PIXEL_BITS
        and     r1, r12, r1, lsl #PIXEL_BITS
        .endm

/* From the word \x pixels of lanes 0 and 2 in r2, of lane 1 in \x. */
        .macro  SINGLES x
        and     r2, r12, \x, lsl #PIXEL_BITS
        and     \x, r12, \x, ror #8 - PIXEL_BITS
        .endm

        .macro  NEXT_ROW_3 row
        .if     \row < 2
        add     r3, r3, r11
        .else
        sub     r3, r3, r11, lsl #1
        .endif
        .endm

/* With a step of 1: pixels 1 and 2, which both words share, are pairs for both; 0 and 3. 16 + 14 cycles. */
        .macro  ROW_1_3 row, begin
        ldr     r0, [r3, #4]
        ldr     r1, [r3, #8]
        ldr     lr, [sp, #WEIGHTS + 8 * \row]
        ldr     r7, [sp, #WEIGHTS + 8 * \row + 4]
        PAIRS
        SUM     \begin, smuad, smlad, r4, r0, r7
        SUM     \begin, smuad, smlad, r8, r0, lr
        SUM     \begin, smuad, smlad, r5, r2, r7
        SUM     \begin, smuad, smlad, r9, r2, lr
        SUM     \begin, smuad, smlad, r6, r1, r7
        SUM     \begin, smuad, smlad, r10, r1, lr
        ldr     r0, [r3]
        ldr     r1, [r3, #12]
        NEXT_ROW_3 \row
        SINGLES r0
        smlabb  r4, r2, lr, r4
        smlatb  r6, r2, lr, r6
        smlabb  r5, r0, lr, r5
        SINGLES r1
        smlabt  r8, r2, r7, r8
        smlatt  r10, r2, r7, r10
        smlabt  r9, r1, r7, r9
        .endm

/* With a step of 2: 13 + 10 + 12 cycles. */
        .macro  ROW_2_3 row, begin
        ldr     r0, [r3]
        ldr     r1, [r3, #4]
        ldr     lr, [sp, #WEIGHTS + 8 * \row]
        ldr     r7, [sp, #WEIGHTS + 8 * \row + 4]
        PAIRS
        SUM     \begin, smuad, smlad, r4, r0, lr
        SUM     \begin, smuad, smlad, r5, r2, lr
        SUM     \begin, smuad, smlad, r6, r1, lr
        ldr     r0, [r3, #12]
        ldr     r1, [r3, #16]
        PAIRS
        SUM     \begin, smuad, smlad, r8, r0, r7
        SUM     \begin, smuad, smlad, r9, r2, r7
        SUM     \begin, smuad, smlad, r10, r1, r7
        ldr     r0, [r3, #8]
        NEXT_ROW_3 \row
        SINGLES r0
        smlabt  r4, r2, r7, r4
        smlatt  r6, r2, r7, r6
        smlabt  r5, r0, r7, r5
        smlabb  r8, r2, lr, r8
        smlatb  r10, r2, lr, r10
        smlabb  r9, r0, lr, r9
        .endm

/* For one word: 6 + 14 cycles. */
        .macro  ROW_ONE_3 row, begin
        ldr     r0, [r3]
        ldr     r1, [r3, #4]
        ldr     r8, [r3, #8]
        ldr     lr, [sp, #WEIGHTS + 8 * \row]
        ldr     r7, [sp, #WEIGHTS + 8 * \row + 4]
        NEXT_ROW_3 \row
        PAIRS
        SUM     \begin, smuad, smlad, r4, r0, lr
        SUM     \begin, smuad, smlad, r5, r2, lr
        SUM     \begin, smuad, smlad, r6, r1, lr
        SINGLES r8
        smlabt  r4, r2, r7, r4
        smlatt  r6, r2, r7, r6
        smlabt  r5, r8, r7, r5
        .endm

/* For one word: 7 + 17 cycles. */
        .macro  ROW_ONE row, begin
        ldr     r0, [r3]
        ldr     r1, [r3, #4]
        ldr     r8, [r3, #8]
        ldr     lr, [sp, #WEIGHTS + 8 * \row]
        ldr     r9, [sp, #WEIGHTS + 8 * \row + 4]
        ldr     r2, [sp, #PITCH]
        NEXT_ROW \row, r2
        LOWER
        SUM     \begin, smuad, smlad, r4, r0, lr
        SUM     \begin, smuad, smlad, r5, r2, lr
        UPPER
        SUM     \begin, smuad, smlad, r6, r0, lr
        SUM     \begin, smuad, smlad, r7, r1, lr
        and     r0, r12, r8, lsl #PIXEL_BITS
        and     r8, r12, r8, ror #8 - PIXEL_BITS
        smlabt  r4, r0, r9, r4
        smlatt  r6, r0, r9, r6
        smlabt  r5, r8, r9, r5
        smlatt  r7, r8, r9, r7
        .endm

/* Four sums to a word in \l0, 9 cycles, three 7; r0, r1 = scale, more. The result is the upper half, which fits. */
        .macro  FINISH l0, l1, l2, l3
        smlawt  \l0, \l0, r0, r1
        smlawt  \l1, \l1, r0, r1
        smlawt  \l2, \l2, r0, r1
        .if     LANES > 3
        smlawt  \l3, \l3, r0, r1
        .endif
        pkhtb   \l0, \l2, \l0, asr #16
        .if     LANES > 3
        pkhtb   \l1, \l3, \l1, asr #16
        .endif
        usat16  \l0, #8, \l0
        .if     LANES > 3
        usat16  \l1, #8, \l1
        .else
        usat    \l1, #8, \l1, asr #16
        .endif
        orr     \l0, \l0, \l1, lsl #8
        .endm

/* With a step of 1: 114 + 25 cycles, and more where weights have no room for all bits of up. */
        .macro  STRIP step
        .if     LANES > 3
        ROW_\step 0, 1
        ROW_\step 1, 0
        ROW_\step 2, 0
        .else
        ROW_\step\()_3 0, 1
        ROW_\step\()_3 1, 0
        ROW_\step\()_3 2, 0
        .endif
        ldm     sp, {r0, r1, r2, lr}
        tst     r0, #0xff
        bne     5f
6:      FINISH  r4, r5, r6, r7
        FINISH  r8, r9, r10, r11
        .endm

        .macro  ONE
        .if     LANES > 3
        ROW_ONE 0, 1
        ROW_ONE 1, 0
        ROW_ONE 2, 0
        .else
        ROW_ONE_3 0, 1
        ROW_ONE_3 1, 0
        ROW_ONE_3 2, 0
        .endif
        ldm     sp, {r0, r1, r2}
        tst     r0, #0xff
        bne     7f
8:      FINISH  r4, r5, r6, r7
        .endm

        .macro  UP v
        asr     \v, \v, #PIXEL_BITS
        lsl     \v, \v, r0
        .endm

        .macro  UP_WORD l0, l1, l2, l3
        UP      \l0
        UP      \l1
        UP      \l2
        .if     LANES > 3
        UP      \l3
        .endif
        .endm

        .macro  RARE
5:      eor     r0, r0, #PIXEL_BITS
        UP_WORD r4, r5, r6, r7
        UP_WORD r8, r9, r10, r11
        b       6b
7:      eor     r0, r0, #PIXEL_BITS
        UP_WORD r4, r5, r6, r7
        b       8b
        .endm

#endif
#endif
