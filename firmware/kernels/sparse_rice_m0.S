/* sparse_rice_m0.S - the Rice code of a channel's weights to its program, for Armv6-M; groups are as in sparse_rice_thumb2.S. */
/* clang-format off */
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#include "sparse_rice_m0.h"

        RICE_DECODE mcugen1_sparse_rice, 1

        ldr     r7, [r3, #TAILS]        /* r1, r2 = the tail, r6 = the end, r1 = the centre then; r4 = packing */
        ldrh    r1, [r7]
        ldrh    r2, [r7, #2]
        ldrh    r5, [r7, #4]
        adds    r7, r7, #6
        lsls    r5, r5, #16
        orrs    r2, r2, r5
        movs    r5, #31
        ands    r5, r5, r2
        asrs    r2, r2, #5
        lsls    r6, r5, #16
        orrs    r1, r1, r6
        str     r1, [r3]
        movs    r6, #19
        subs    r5, r5, #16
        bmi     1f
        lsls    r2, r2, r5
        ldrh    r6, [r4, #END]
1:      str     r2, [r3, #4]
        ldrh    r1, [r4, #CENTRE]
        ldrh    r5, [r4, #OWN_CENTRES]
        cmp     r5, #0
        beq     2f
        ldrh    r1, [r7]
        adds    r7, r7, #2
2:      str     r7, [r3, #TAILS]

        ldr     r7, [sp, #THERE]
        movs    r5, #17                 /* between the lists: take the sums from the centre */
        strh    r5, [r7]
        strh    r1, [r7, #2]
        adds    r3, r7, #4              /* the first token upwards */
        mov     r0, r9
        movs    r5, #0
        subs    r4, r0, r3
        cmp     r4, #2
        beq     4f
        movs    r2, #0
        subs    r1, r0, #2
        ldrh    r5, [r1]                /* the last 1 becomes the first, and 0 takes its place */
        strh    r2, [r1]
        subs    r1, r1, #2              /* the last group's token */
        lsrs    r1, r1, #5
        lsls    r1, r1, #5
        cmp     r1, r3
        bhs     3f
        mov     r1, r3
3:      subs    r2, r0, r1
        lsrs    r2, r2, #1
        subs    r2, r2, #1
        strh    r2, [r1]
        b       5f
4:      mov     r0, r3                  /* no weight is 1 */
5:      strh    r6, [r0]
        subs    r1, r7, #2
        strh    r5, [r1]

        mov     r6, r8
        movs    r1, #31                 /* 30, less 2 for each offset of the lowest group */
        ands    r1, r1, r6
        movs    r0, #26
        subs    r0, r0, r1
        ble     6f
        ldrh    r1, [r6, #2]            /* three or more: a token behind two of them */
        ldrh    r2, [r6, #4]
        lsrs    r0, r0, #1
        strh    r1, [r6]
        strh    r2, [r6, #2]
        strh    r0, [r6, #4]
        mov     r0, r6
        b       9f
6:      beq     7f
        subs    r0, r7, #4
        cmp     r0, r6
        beq     8f
        ldrh    r1, [r6, #6]            /* one: it takes the next group's first, which has a token of one less */
        movs    r0, #14
        strh    r1, [r6, #4]
        strh    r0, [r6, #6]
7:      adds    r0, r6, #2              /* two: as they are */
        b       9f
8:      subs    r0, r7, #6              /* none, no weight is -1: any pixel, the first 1, sums = 0 */
        movs    r1, #0
        movs    r2, #18
        strh    r1, [r0]
        strh    r5, [r0, #2]
        strh    r2, [r0, #4]
9:      RICE_RETURN FRAME
        .size   mcugen1_sparse_rice, . - mcugen1_sparse_rice
#endif
