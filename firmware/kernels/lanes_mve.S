/* lanes_mve.S - sealing an image in lanes with Helium: four words at a time.
 *
 *     r0        struct mcugen_lanes
 *     r1        the channel's plane
 *     r2        bytes from a row to the next
 *     r3        width
 *     r4, r5    the number of pads in a column, rows
 *     r6, r7    where words are read and written
 *     r8        bytes from row 0 to row `rows`
 *     r9        channels left
 *     q2        the pad value in every byte
 *     q3, q4    bytes to the next three pads, and to the next three words
 */
/* clang-format off */
#if defined(__ARM_FEATURE_MVE)

#include "mcugen.h"

        .equ    CHANNELS, 0
        .equ    HEIGHT, 2
        .equ    WIDTH, 4
        .equ    ROWS, 6
        .equ    HALO_TOP, 8
        .equ    HALO_BOTTOM, 9
        .equ    PAD_COLS, 10
        .equ    PAD_VALUE, 11
        .equ    PLANE, 12
        .equ    FIRST, 0        /* of the frame: bytes from a plane to row 0, and to the first garbage row's pixels */
        .equ    GONE, 4
        .equ    GONE_ROW, 8     /* that row, and how many there are */
        .equ    GONE_COUNT, 12
        .equ    FRAME, 20

/* void mcugen1_lanes_seal_mve(const struct mcugen_lanes *l, uint8_t *y); garbage rows are fewer than 4 * rows. */
        FUNCTION mcugen1_lanes_seal_mve
        push    {r4-r11, lr}
        vpush   {d8-d9}
        sub     sp, sp, #FRAME
        ldrb    r4, [r0, #PAD_VALUE]
        vdup.8  q2, r4
        ldrb    r4, [r0, #PAD_COLS]
        ldrh    r3, [r0, #WIDTH]
        ldrh    r5, [r0, #ROWS]
        ldrh    r9, [r0, #CHANNELS]
        add     r2, r3, r4
        lsl     r2, r2, #2
        mul     r8, r5, r2
        ldrb    r6, [r0, #HALO_TOP]
        mul     r7, r6, r2
        add     r7, r7, r4, lsl #2
        str     r7, [sp, #FIRST]
        ldrh    r10, [r0, #HEIGHT]
        udiv    r11, r10, r5            /* lane and row of the first garbage row */
        mls     r12, r11, r5, r10
        mla     r7, r12, r2, r7
        add     r7, r7, r11
        str     r7, [sp, #GONE]
        rsb     r10, r10, r5, lsl #2
        strd    r12, r10, [sp, #GONE_ROW]
        ldrb    r4, [r0, #HALO_BOTTOM]
        add     r4, r4, r6
        add     r4, r4, r5
        adds    r4, r4, #1
        movs    r6, #0
        vidup.u32 q4, r6, #4
        vshr.u32 q3, q4, #2
        vmul.i32 q3, q3, r2
        cmp     r9, #0
        beq     9f

10:                                     /* a channel */
        ldrb    r12, [r0, #PAD_COLS]
        mov     r10, r1
        cmp     r12, #0
        beq     4f
2:      mov     r7, r10                 /* a column of pads */
        dlstp.32 lr, r4
3:      vstrw.32 q2, [r7, q3]
        add     r7, r7, r2, lsl #2
        letp    lr, 3b
        add     r10, r10, #4
        subs    r12, r12, #1
        bne     2b

4:      ldr     r12, [sp, #GONE_COUNT]
        cmp     r12, #0
        beq     7f
        ldr     r10, [sp, #GONE]
        add     r10, r10, r1
        ldr     r11, [sp, #GONE_ROW]
5:      mov     r7, r10                 /* a garbage row: one byte of its words */
        dlstp.32 lr, r3
6:      vstrb.32 q2, [r7, q4]
        adds    r7, #16
        letp    lr, 6b
        add     r11, r11, #1
        add     r10, r10, r2
        cmp     r11, r5
        bne     8f
        mov     r11, #0                 /* row 0 of the next lane */
        sub     r10, r10, r8
        add     r10, r10, #1
8:      subs    r12, r12, #1
        bne     5b

7:      ldr     r10, [sp, #FIRST]
        add     r10, r10, r1
        ldrb    r12, [r0, #HALO_TOP]
        vmov    q1, q2
        sub     r10, r10, r2
        add     r11, r10, r8
        cmp     r12, #0
        beq     13f
11:     mov     r6, r11                 /* a halo row above: pixels of the lane before; q1 keeps its lowest bytes */
        mov     r7, r10
        dlstp.32 lr, r3
12:     vldrw.u32 q0, [r6], #16
        vsli.32 q1, q0, #8
        vstrw.32 q1, [r7], #16
        letp    lr, 12b
        sub     r11, r11, r2
        sub     r10, r10, r2
        subs    r12, r12, #1
        bne     11b

13:     ldrb    r12, [r0, #HALO_BOTTOM]
        cmp     r12, #0
        beq     16f
        vmov    q1, q2
        ldr     r10, [sp, #FIRST]
        add     r10, r10, r1
        add     r11, r10, r8
14:     mov     r6, r10                 /* below: of the lane behind */
        mov     r7, r11
        dlstp.32 lr, r3
15:     vldrw.u32 q0, [r6], #16
        vsri.32 q1, q0, #8
        vstrw.32 q1, [r7], #16
        letp    lr, 15b
        add     r10, r10, r2
        add     r11, r11, r2
        subs    r12, r12, #1
        bne     14b

16:     ldr     r6, [r0, #PLANE]
        add     r1, r1, r6, lsl #2
        subs    r9, r9, #1
        bne     10b
9:      add     sp, sp, #FRAME
        vpop    {d8-d9}
        pop     {r4-r11, pc}
        .size   mcugen1_lanes_seal_mve, . - mcugen1_lanes_seal_mve
#endif
