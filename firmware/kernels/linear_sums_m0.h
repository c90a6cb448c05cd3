/* linear_sums_m0.h - assembler macros: what finishes sums on Armv6-M has the same head and end.
 *
 *     r0        y
 *     r1, r7    the end of the outputs' mult, from there to the next one: -2 times the outputs that are left
 *     r2, r3    words of add, sums: what is next
 *     r4-r6     the sum, its word, mult
 *     r8, r9    lo, hi
 */
/* clang-format off */
#ifndef MCUGEN_LINEAR_SUMS_M0_H
#define MCUGEN_LINEAR_SUMS_M0_H
#ifdef __ASSEMBLER__

#include "mcugen.h"

/* void \name(const struct mcugen_tail *tail, uint32_t first, uint32_t count, const int32_t *sums, void *y), whose
 * outputs have so many bytes */
        .macro  FINISH name, bytes
        FUNCTION \name
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        push    {r4, r5}
        ldr     r4, [r0, #12]
        mov     r8, r4
        ldr     r4, [r0, #16]
        mov     r9, r4
        ldm     r0!, {r4, r5}           /* mult, add */
        ldr     r0, [sp, #28]           /* y */
        .if     \bytes == 1
        adds    r0, r0, r1
        .endif
        lsls    r7, r2, #1
        lsls    r1, r1, #1
        .if     \bytes == 2
        adds    r0, r0, r1
        .endif
        adds    r2, r1, r1
        adds    r2, r2, r5
        adds    r1, r1, r4
        adds    r1, r1, r7
        rsbs    r7, r7, #0
        .endm

        .macro  OUTPUT
        ldm     r3!, {r4}
        ldm     r2!, {r5}
        ldrsh   r6, [r1, r7]
        .endm

        .macro  LIMIT
        cmp     r4, r8
        blt     3f
        cmp     r4, r9
        bgt     4f
2:
        .endm

/* Stored; then the next output, or the end. */
        .macro  NEXT bytes
        adds    r0, r0, #\bytes
        adds    r7, r7, #2
        bne     1b
        b       5f
3:      mov     r4, r8
        b       2b
4:      mov     r4, r9
        b       2b
        .endm

        .macro  END name
        pop     {r4, r5}
        mov     r8, r4
        mov     r9, r5
        pop     {r4-r7, pc}
        .size   \name, . - \name
        .endm

#endif
#endif
