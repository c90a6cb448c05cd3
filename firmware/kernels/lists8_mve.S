/* lists8_mve.S - sums by lists of bytes with Helium: 16 places, their inputs by a gathering load, and their sum.
 *
 *     r0        the lists: what is read next; r5 within a list
 *     r1, r2    the inputs, the end of the last block; r9 = the inputs of a block
 *     r3        outputs that are left
 *     r4, r6    the sums of the +1 and of the -1 weights, modulo 2^32
 *     r7        the block's inputs
 *     r8        where the next sum goes
 *     r12       how many weights the list has; lr counts them down
 */
/* clang-format off */
#if defined(__ARM_FEATURE_MVE)

#include "mcugen.h"

/* A list to \sum, in tail-predicated rounds of 16: 5 instructions, and 4 a round. */
        .macro  LIST sum, inputs
        ldrb    r12, [r0], #1
        mov     r5, r0
        rsb     r12, r12, #31
        add     r0, r0, r12
        wlstp.8 lr, r12, 8f
7:      vldrb.u8 q0, [r5], #16
        vldrb.u8 q1, [\inputs, q0]
        vaddva.u8 \sum, q1
        letp    lr, 7b
8:
        .endm

/* const uint8_t *mcugen1_lists8_mve(const uint8_t *lists, const struct mcugen_lists8 *from, uint32_t count,
 *                                   int32_t *sums)
 */
        FUNCTION mcugen1_lists8_mve
        push    {r4-r10, lr}
        mov     r8, r3
        mov     r3, r2
        ldr     r2, [r1, #8]            /* span */
        ldrd    r1, r9, [r1]            /* x, block */
        cmp     r2, r9
        bne     2f
1:                                      /* an output of one block: 6 besides its lists */
        movs    r4, #0
        movs    r6, #0
        LIST    r4, r1
        LIST    r6, r1
        subs    r4, r4, r6
        str     r4, [r8], #4
        subs    r3, r3, #1
        bne     1b
        pop     {r4-r10, pc}
2:
        add     r2, r1, r2
3:                                      /* an output of more: 7, and for each block 3 */
        movs    r4, #0
        movs    r6, #0
        mov     r7, r1
4:      LIST    r4, r7
        LIST    r6, r7
        add     r7, r7, r9
        cmp     r7, r2
        bne     4b
        subs    r4, r4, r6
        str     r4, [r8], #4
        subs    r3, r3, #1
        bne     3b
        pop     {r4-r10, pc}
        .size   mcugen1_lists8_mve, . - mcugen1_lists8_mve
#endif
