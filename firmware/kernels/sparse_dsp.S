/* sparse_dsp.S - channels and runs of strips, for cores with the DSP extension; sparse<words>[x2]_dsp.S has the strips.
 *
 * Only the strips that a model uses are among its files: the others are undefined and weak, and never called.
 */
#if defined(__ARM_FEATURE_DSP)
#include "sparse_dsp.h"

        .weak   mcugen1_sparse1_dsp, mcugen1_sparse2_dsp, mcugen1_sparse3_dsp, mcugen1_sparse4_dsp
        .weak   mcugen1_sparse1x2_dsp, mcugen1_sparse2x2_dsp, mcugen1_sparse3x2_dsp, mcugen1_sparse4x2_dsp

        .section .text.mcugen1_sparse_dsp, "ax", %progbits
        .thumb
        .p2align 2
8:      .word   mcugen1_sparse1_dsp, mcugen1_sparse2_dsp, mcugen1_sparse3_dsp, mcugen1_sparse4_dsp
        .word   mcugen1_sparse1x2_dsp, mcugen1_sparse2x2_dsp, mcugen1_sparse3x2_dsp, mcugen1_sparse4x2_dsp

/* void mcugen1_sparse_dsp(const struct mcugen_sparse *k, const void *x, void *y) */
        .weak   mcugen1_sparse_dsp
        .thumb_func
        .type   mcugen1_sparse_dsp, %function
mcugen1_sparse_dsp:
        push    {r4-r11, lr}
        sub     sp, sp, #FRAME
        ldr     r12, [r0]               /* programs */
        ldr     r3, [r0, #4]            /* tails */
        ldr     r4, [r0, #8]            /* runs */
        ldrh    r5, [r0, #12]           /* run_count */
        ldrb    r6, [r0, #14]           /* lo */
        ldrb    r7, [r0, #15]           /* hi */
        ldrh    r8, [r0, #16]           /* out.channels */
        ldr     r9, [r0, #28]           /* out.plane */
        ldrb    r10, [r0, #32]          /* step */
        add     r0, r0, #16             /* out */
        str     r0, [sp, #SEAL]
        str     r2, [sp, #SEAL + 4]
        str     r1, [sp, #X]
        str     r2, [sp, #Y]
        add     r8, r3, r8, lsl #3
        strd    r3, r8, [sp, #TAIL]
        add     r5, r4, r5, lsl #3
        str     r4, [sp, #RUNS]
        str     r5, [sp, #RUNS_END]
        lsl     r9, r9, #2
        str     r9, [sp, #PLANE]
        mov     r0, #0x01010101
        rsb     r7, r7, #255
        add     r5, r7, r6
        mul     r7, r7, r0
        mul     r5, r5, r0
        mul     r6, r6, r0
        str     r7, [sp, #ABOVE]
        str     r5, [sp, #BELOW]
        str     r6, [sp, #LEAST]
        adr.w   r0, 8b
        sub     r0, r0, #20             /* 4 for strips of 1 word, 16 for a step of 1 */
        add     r0, r0, r10, lsl #4
        str     r0, [sp, #TABLE]

1:                                      /* a channel: r12 = its program */
        ldrh    r0, [r12], #4
        lsl     r0, r0, #2
        strd    r0, r12, [sp, #FIRST]
        ldr     r0, [sp, #TAIL]
        ldrd    r2, r3, [r0], #8
        strd    r2, r3, [sp, #SCALE]
        str     r0, [sp, #TAIL]
        ldr     r0, [sp, #RUNS]
2:                                      /* a run, at r0 */
        ldrh    r1, [r0]                /* first word of x */
        ldrh    r2, [r0, #2]            /* first word of y */
        ldrh    r3, [r0, #4]            /* words of y */
        ldrh    r4, [r0, #6]            /* words of a strip */
        ldr     r5, [sp, #X]
        ldr     r6, [sp, #Y]
        ldr     r7, [sp, #TABLE]
        add     r0, r0, #8
        str     r0, [sp, #RUN]
        add     lr, r5, r1, lsl #2
        add     r5, r6, r2, lsl #2
        add     r6, r5, r3, lsl #2
        strd    r5, r6, [sp, #OUT]
        ldr     pc, [r7, r4, lsl #2]

/* Where strips go on after a run: r12 is behind the channel's program. */
        .weak   mcugen1_sparse_next_dsp
        .thumb_func
        .type   mcugen1_sparse_next_dsp, %function
mcugen1_sparse_next_dsp:
        ldrd    r0, r1, [sp, #RUN]
        cmp     r0, r1
        bne     2b
        ldr     r0, [sp, #Y]
        ldr     r1, [sp, #PLANE]
        add     r0, r0, r1
        str     r0, [sp, #Y]
        ldrd    r0, r1, [sp, #TAIL]
        cmp     r0, r1
        bne     1b
        ldrd    r0, r1, [sp, #SEAL]
        add     sp, sp, #FRAME
        pop     {r4-r11, lr}
        b       mcugen1_lanes_seal
        .size   mcugen1_sparse_dsp, . - mcugen1_sparse_dsp
#endif
