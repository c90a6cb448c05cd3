/* dots8_thumb.S - weights of 8 bits, dot products of four inputs: 2.4 cycles a weight on Cortex-M0+, 2.2 on M3.
 *
 *     r0        words: what is read next
 *     r1-r3     straight, crossed and centre of four inputs
 *     r4        a word with its bytes swapped, then its product
 *     r5, r6    words of two outputs, then their dot products
 *     r7        quads: what is read next
 *     r8-r12, lr    the sums of six outputs, modulo 2^32
 *
 * Four inputs of six outputs take 55 cycles on the Cortex-M0+, 49 on the M3, and sixteen inputs 6 more.
 */
/* clang-format off */
#if defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_ARCH_ISA_ARM)

#include "mcugen.h"

/* The frame, in bytes from sp. */
        .equ    QUADS, 0
        .equ    END, 4
        .equ    SUMS, 8
        .equ    SUMS_END, 12
        .equ    ENTRY, 16
        .equ    FRAME, 20       /* with 9 registers a multiple of 8 */

/* The upper half of the product is exact, as dots8.h says. Either takes 14 bytes. */
        .macro  DOT sum, w
        rev16   r4, \w
#if __ARM_ARCH_ISA_THUMB == 2
        mla     \w, \w, r1, r3
        mla     \w, r4, r2, \w
        add     \sum, \sum, \w, asr #16
#else
        muls    \w, r1, \w
        muls    r4, r2, r4
        adds    \w, \w, r4
        adds    \w, \w, r3
        asrs    \w, \w, #16
        add     \sum, \sum, \w
#endif
        .endm

        .macro  ONE sum
        ldm     r0!, {r5}
        DOT     \sum, r5
        .endm

        .macro  TWO sum, next
        ldm     r0!, {r5, r6}
        DOT     \sum, r5
        DOT     \next, r6
        .endm

/* Four inputs of n outputs. */
        .macro  QUAD n
        ldm     r7!, {r1, r2, r3}
        .if     \n == 1
        ONE     r8
        .else
        TWO     r8, r9
        .endif
        .if     \n == 3
        ONE     r10
        .elseif \n > 3
        TWO     r10, r11
        .endif
        .if     \n == 5
        ONE     r12
        .elseif \n == 6
        TWO     r12, lr
        .endif
        .endm

        .equ    QUAD6, 92       /* bytes of code for six outputs */

/* \op for the register of each of n sums, of which i is the number. */
        .macro  EACH n, op
        .set    i, 0
        .irp    r, r8, r9, r10, r11, r12
        .if     i < \n
        \op     \r
        .endif
        .set    i, i + 1
        .endr
        .endm

        .macro  LOAD sum
        ldm     r6!, {r1}
        mov     \sum, r1
        .endm

        .macro  STORE sum
        mov     r1, \sum
        stm     r6!, {r1}
        .endm

/* The last group of the layer; r6: its sums. */
        .macro  REST n
        EACH    \n, LOAD
        ldr     r7, [sp, #QUADS]
1:      QUAD    \n
        ldr     r4, [sp, #END]
        cmp     r7, r4
        bne     1b
        ldr     r6, [sp, #SUMS]
        EACH    \n, STORE
        b       9b
        .endm

/* const uint32_t *mcugen1_dots8_thumb(const uint32_t *words, const uint32_t *quads, const uint32_t *end, uint32_t count,
 *                                     int32_t *sums)
 */
        FUNCTION mcugen1_dots8_thumb
        push    {r4-r7, lr}
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        mov     r7, r11
        push    {r4-r7}
        ldr     r6, [sp, #36]           /* sums */
        sub     sp, sp, #FRAME
        str     r1, [sp, #QUADS]
        str     r2, [sp, #END]
        str     r6, [sp, #SUMS]
        lsls    r3, r3, #2
        adds    r3, r3, r6
        str     r3, [sp, #SUMS_END]
        subs    r2, r2, r1              /* 12 bytes of each quad: a fourth of that modulo 4 is -quads modulo 4 */
        lsls    r2, r2, #28
        lsrs    r2, r2, #30
        movs    r7, #QUAD6
        muls    r2, r7, r2
        adr     r7, 7f
        adds    r2, r2, r7
        adds    r2, r2, #1
        str     r2, [sp, #ENTRY]
1:      ldr     r7, [sp, #SUMS_END]     /* a group */
        subs    r7, r7, r6
        cmp     r7, #24
        bhs     6f
        b       10f
6:      ldm     r6!, {r1-r5, r7}
        mov     r8, r1
        mov     r9, r2
        mov     r10, r3
        mov     r11, r4
        mov     r12, r5
        mov     lr, r7
        ldr     r7, [sp, #QUADS]
        ldr     r1, [sp, #ENTRY]
        bx      r1
        .p2align 2
7:      QUAD    6
        QUAD    6
        QUAD    6
        QUAD    6
        ldr     r4, [sp, #END]
        cmp     r7, r4
        beq     8f
        b       7b                      /* beyond the reach of a conditional branch */
8:      ldr     r6, [sp, #SUMS]
        mov     r1, r8
        mov     r2, r9
        mov     r3, r10
        mov     r4, r11
        mov     r5, r12
        mov     r7, lr
        stm     r6!, {r1-r5, r7}
        str     r6, [sp, #SUMS]
        ldr     r4, [sp, #SUMS_END]
        cmp     r6, r4
        beq     9f
        b       1b                      /* beyond it, too */
9:      add     sp, sp, #FRAME
        pop     {r4-r7}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
        pop     {r4-r7, pc}
14:     REST    4
10:     cmp     r7, #8
        blo     11f
        beq     12f
        cmp     r7, #16
        blo     13f
        beq     14b
        REST    5
11:     REST    1
12:     REST    2
13:     REST    3
        .size   mcugen1_dots8_thumb, . - mcugen1_dots8_thumb

/* const uint32_t *mcugen1_dots8_starts_thumb(const uint32_t *words, const uint8_t *x, uint32_t count, int32_t *sums):
 * 12 cycles an output and 10 for each heavy weight
 */
        FUNCTION mcugen1_dots8_starts_thumb
        push    {r4-r6, lr}
        lsls    r2, r2, #2
        adds    r2, r2, r3
1:      ldm     r0!, {r4}
        lsrs    r5, r4, #1              /* carry: heavy weights follow */
        bcc     3f
        subs    r4, r4, #1
2:      ldm     r0!, {r5}
        uxth    r6, r5
        ldrb    r6, [r1, r6]
        asrs    r5, r5, #17             /* carry: another one follows; the next two leave it */
        muls    r5, r6, r5
        add     r4, r4, r5
        bcs     2b
3:      stm     r3!, {r4}
        cmp     r3, r2
        bne     1b
        pop     {r4-r6, pc}
        .size   mcugen1_dots8_starts_thumb, . - mcugen1_dots8_starts_thumb

/* void mcugen1_dots8_inputs_thumb(const uint8_t *x, uint32_t count, uint32_t *quads): 32 cycles each
 *
 *     r0, r2    inputs, where their words go: what is next
 *     r3-r6     inputs, words of them
 *     r1        65537
 *     r7, r12   128 * r1, 2^15
 *     lr        the end of the inputs
 */
        FUNCTION mcugen1_dots8_inputs_thumb
        push    {r4-r7, lr}
        lsls    r1, r1, #2
        adds    r1, r1, r0
        mov     lr, r1
        movs    r3, #1
        lsls    r1, r3, #16
        adds    r1, r1, #1
        lsls    r7, r1, #7
        lsls    r3, r3, #15
        mov     r12, r3
1:      ldrb    r3, [r0]
        ldrb    r4, [r0, #1]
        ldrb    r5, [r0, #2]
        ldrb    r6, [r0, #3]
        lsls    r4, r4, #16
        adds    r3, r3, r4
        subs    r3, r3, r7              /* pq */
        lsls    r6, r6, #16
        adds    r6, r5, r6
        subs    r6, r6, r7              /* rs */
        adds    r5, r3, r6
        muls    r5, r7, r5
        mov     r4, r12
        subs    r5, r4, r5
        lsls    r4, r3, #8
        subs    r4, r6, r4
        muls    r4, r1, r4
        lsls    r6, r6, #8
        subs    r3, r3, r6
        muls    r3, r1, r3
        stm     r2!, {r3, r4, r5}
        adds    r0, r0, #4
        cmp     r0, lr
        bne     1b
        pop     {r4-r7, pc}
        .size   mcugen1_dots8_inputs_thumb, . - mcugen1_dots8_inputs_thumb
#endif
