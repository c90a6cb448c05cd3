/* paired_layer.h - assembler macro: a layer of programs that may be of two channels, over strips of sparse_strips.h. */
/* clang-format off */
#ifndef MCUGEN_PAIRED_LAYER_H
#define MCUGEN_PAIRED_LAYER_H
#ifdef __ASSEMBLER__

#include "sparse_strips.h"

/* More of the frame. */
        .equ    UNITS_LEFT, TO_DECODE
        .equ    UNIT, TAIL              /* what follows of the units */

/* A channel at r7, which goes on: r6 = its number, r2, r3 = its tail, mult | shift << 16, add; r1 is free. */
        .macro  CHANNEL
        ldrh    r6, [r7]
        ldrh    r2, [r7, #2]
        ldrh    r3, [r7, #4]
        ldrh    r1, [r7, #6]
        add     r7, r7, #8
        UNPACK_TAIL
        .endm

/* void \name(const struct mcugen_paired *k, const void *x, void *y, void *scratch): units, and runs of strips.
 *
 * Only the strips that a model uses are linked, by MCUGEN_PART: the others are undefined and weak, and never called.
 */
        .macro  UNITS name
        .weak   mcugen1_paired1, mcugen1_paired2, mcugen1_paired3, mcugen1_paired4
        .weak   mcugen1_paired1x2, mcugen1_paired2x2, mcugen1_paired3x2, mcugen1_paired4x2

        HOT     \name
        .thumb
        .p2align 2
8:      .word   mcugen1_paired1, mcugen1_paired2, mcugen1_paired3, mcugen1_paired4
        .word   mcugen1_paired1x2, mcugen1_paired2x2, mcugen1_paired3x2, mcugen1_paired4x2

        HEAD    \name
        push    {r4-r11, lr}
        sub     sp, sp, #PAIRED_FRAME
        ldr     r12, [r0]               /* weights */
        str     r1, [sp, #X]
        str     r2, [sp, #SEAL + 4]
        ldr     r7, [r0, #4]            /* units */
        ldr     r4, [r0, #8]            /* runs */
        ldrh    r5, [r0, #12]           /* run_count */
        ldrb    r6, [r0, #14]           /* lo */
        ldrb    r8, [r0, #15]           /* hi */
        ldr     r9, [r0, #28]           /* out.plane */
        ldrb    r10, [r0, #32]          /* step */
        ldrh    r11, [r0, #34]          /* unit_count */
        strd    r0, r3, [sp, #KERNEL]
        add     r0, r0, #16             /* out */
        str     r0, [sp, #SEAL]
        str     r7, [sp, #UNIT]
        str     r11, [sp, #UNITS_LEFT]
        add     r5, r4, r5, lsl #3
        str     r4, [sp, #RUNS]
        str     r5, [sp, #RUNS_END]
        lsl     r9, r9, #2
        str     r9, [sp, #PLANE]
        STORE_LIMITS r6, r8
        adr.w   r0, 8b
        sub     r0, r0, #20             /* 4 for strips of 1 word, 16 for a step of 1 */
        add     r0, r0, r10, lsl #4
        str     r0, [sp, #TABLE]
        mvn     r1, #15                 /* nothing is decoded yet */
        mov     r0, #0
        str     r12, [sp, #DECODER + 8]
        strd    r0, r1, [sp, #DECODER + 16]

1:                                      /* a unit: r12 = its program, or where it is written next */
        ldrd    r0, r3, [sp, #KERNEL]
        ldr     r4, [r0, #40]           /* decode */
        cbz     r4, 3f
        ldr     r7, [sp, #UNIT]
        add     r1, sp, #DECODER
        ldrh    r2, [r7]
        lsr     r2, r2, #15
        blx     r4
        mov     r12, r0
3:
        ldrh    r0, [r12], #6
        lsl     r0, r0, #2
        strd    r0, r12, [sp, #FIRST]
        ldr     r7, [sp, #UNIT]
        CHANNEL
        strd    r2, r3, [sp, #SCALE]
        PREPARE
        ldr     r8, [sp, #PLANE]
        ldr     r9, [sp, #SEAL + 4]
        ubfx    r0, r6, #0, #15
        mla     r9, r0, r8, r9
        str     r9, [sp, #Y]
        lsrs    r1, r6, #15
        beq     4f
        mov     r10, r0
        CHANNEL
        strd    r2, r3, [sp, #OTHER_SCALE]
        PREPARE OTHER_READY
        sub     r6, r6, r10
        mul     r6, r6, r8
        str     r6, [sp, #OTHER]
4:      str     r7, [sp, #UNIT]
        ldr     r0, [sp, #RUNS]
        cmp     r0, #0                  /* Z is clear: see STRIPS */
2:                                      /* a run, at r0 */
        TO_RUN

/* Where strips go on after a run: r12 is behind the unit's program. */
        HEAD    mcugen1_paired_next
        ldrd    r0, r1, [sp, #RUN]
        cmp     r0, r1
        bne     2b
        ldr     r0, [sp, #UNITS_LEFT]
        subs    r0, r0, #1
        str     r0, [sp, #UNITS_LEFT]
        bne     1b
        ldrd    r0, r1, [sp, #SEAL]
        add     sp, sp, #PAIRED_FRAME
        pop     {r4-r11, lr}
        b       mcugen1_lanes_seal
        .size   \name, . - \name
        .endm

#endif
#endif
