/* direct_cores.h - the assembler macro STRIPS of `direct` for this core, and what its variants share. */
/* clang-format off */
#ifndef MCUGEN_DIRECT_CORES_H
#define MCUGEN_DIRECT_CORES_H
#ifdef __ASSEMBLER__

#if defined(__ARM_FEATURE_MVE)
#include "direct_mve.h"
#else

#include "mcugen.h"

/* The frame: y, the end of its row, scale, more; to the next row, in bytes, of x, y and its end; the last end; program. */
        .equ    Y, 0
        .equ    END, 4
        .equ    SCALE, 8
        .equ    MORE, 12
        .equ    X_GAP, 16
        .equ    Y_GAP, 20
        .equ    ROW_BYTES, 24
        .equ    LAST, 28
        .equ    PROGRAM, 32

/* On Armv7-M, where the strip's words are in r4 and r8: stores them and goes to the next strip, at 1, or returns. */
        .macro  NEXT_STRIP words
        .if     \words == 2
        ldrd    r0, r1, [sp, #Y]
        strd    r4, r8, [r0], #8
        cmp     r0, r1
        str     r0, [sp, #Y]
        bne     1b
        ldr     r1, [sp, #LAST]         /* a row of y is done */
        cmp     r0, r1
        beq     8f
        ldrd    r1, r2, [sp, #X_GAP]
        add     r3, r3, r1
        add     r0, r0, r2
        str     r0, [sp, #Y]
        ldr     r0, [sp, #END]
        ldr     r1, [sp, #ROW_BYTES]
        add     r0, r0, r1
        str     r0, [sp, #END]
        b       1b
        .else
        ldr     r0, [sp, #Y]
        ldr     r1, [sp, #LAST]
        ldr     r2, [sp, #X_GAP]
        str     r4, [r0], #4
        add     r3, r3, r2
        cmp     r0, r1
        beq     8f
        ldr     r1, [sp, #Y_GAP]
        add     r0, r0, r1
        str     r0, [sp, #Y]
        b       1b
        .endif
8:      add     sp, sp, #FRAME
        pop     {r4-r11, pc}
        .endm

#if defined(__ARM_FEATURE_DSP)
#include "direct_dsp.h"
#elif defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
#include "direct_m3.h"
#else
#include "direct_m0.h"
#endif

#endif

#endif
#endif
