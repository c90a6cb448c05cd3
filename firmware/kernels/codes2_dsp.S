/* codes2_dsp.S - two products an instruction, four outputs at a time, for cores with the DSP extension.
 *
 *     r0, r1    codes, inputs: what is read next
 *     r2, r3    inputs 0 and 2, 1 and 3 of four, a half of a register each
 *     r4-r7     the block's codes of each output
 *     r8-r11    the sums, modulo 2^32
 *     r12       0x00030003
 *     lr        two codes, a half of a register each
 *
 * Four inputs take 2 + 2 + 4 * 2 * 2 = 20 cycles, a block 5 + 4 * 20 + 6 = 91 of 64 products.
 */
/* clang-format off */
#if defined(__ARM_FEATURE_DSP)

#include "mcugen.h"

/* The frame, in bytes from sp. */
        .equ    X, 0
        .equ    X_END, 4
        .equ    SUMS, 8         /* of the group, and the end of them */
        .equ    SUMS_END, 12
        .equ    FRAME, 20       /* with 9 registers a multiple of 8 */

/* The codes at bit \at of each output, times the inputs in \x. */
        .macro  PAIRS x, at
        .if     \at == 0
        and     lr, r12, r4
        smlad   r8, lr, \x, r8
        and     lr, r12, r5
        smlad   r9, lr, \x, r9
        and     lr, r12, r6
        smlad   r10, lr, \x, r10
        and     lr, r12, r7
        smlad   r11, lr, \x, r11
        .else
        and     lr, r12, r4, lsr #\at
        smlad   r8, lr, \x, r8
        and     lr, r12, r5, lsr #\at
        smlad   r9, lr, \x, r9
        and     lr, r12, r6, lsr #\at
        smlad   r10, lr, \x, r10
        and     lr, r12, r7, lsr #\at
        smlad   r11, lr, \x, r11
        .endif
        .endm

        .macro  INPUTS even, odd
        ldr     r3, [r1], #4
        uxtb16  r2, r3
        uxtb16  r3, r3, ror #8
        PAIRS   r2, \even
        PAIRS   r3, \odd
        .endm

/* const uint32_t *mcugen1_codes2_dsp(const uint32_t *codes, const uint8_t *x, uint32_t blocks, uint32_t groups,
 *                                    int32_t *sums) */
        FUNCTION mcugen1_codes2_dsp
        push    {r4-r11, lr}
        ldr     r4, [sp, #36]           /* sums */
        sub     sp, sp, #FRAME
        add     r2, r1, r2, lsl #4
        strd    r1, r2, [sp, #X]
        add     r3, r4, r3, lsl #4
        strd    r4, r3, [sp, #SUMS]
        mov     r12, #0x00030003
1:                                      /* a group */
        ldm     r4, {r8-r11}
        ldr     r1, [sp, #X]
2:                                      /* a block */
        ldm     r0!, {r4-r7}
        INPUTS  0, 2
        INPUTS  4, 6
        INPUTS  8, 10
        INPUTS  12, 14
        ldr     lr, [sp, #X_END]
        cmp     r1, lr
        bne     2b
        ldrd    r4, r5, [sp, #SUMS]
        stm     r4!, {r8-r11}
        str     r4, [sp, #SUMS]
        cmp     r4, r5
        bne     1b
        add     sp, sp, #FRAME
        pop     {r4-r11, pc}
        .size   mcugen1_codes2_dsp, . - mcugen1_codes2_dsp

/* int32_t mcugen1_codes2_total_dsp(const uint8_t *x, uint32_t blocks): 15 cycles a block. */
        FUNCTION mcugen1_codes2_total_dsp
        push    {r4-r6, lr}
        movs    r6, r0
        movs    r0, #0
        movs    r5, #0
        add     r1, r6, r1, lsl #4
        b       2f
1:      ldr     r2, [r6]
        ldr     r3, [r6, #4]
        ldr     r4, [r6, #8]
        ldr     r12, [r6, #12]
        adds    r6, r6, #16
        usada8  r0, r2, r5, r0
        usada8  r0, r3, r5, r0
        usada8  r0, r4, r5, r0
        usada8  r0, r12, r5, r0
2:      cmp     r6, r1
        bne     1b
        pop     {r4-r6, pc}
        .size   mcugen1_codes2_total_dsp, . - mcugen1_codes2_total_dsp
#endif
