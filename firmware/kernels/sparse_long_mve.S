/* sparse_long_mve.S - the end of split channels in 64 bits, token 24, for strips of all widths.
 *
 * In 32 bits and two steps, as mcugen/kernels/strips.py proves: with sum = 256 h + l the result is
 * (h * mult + ((l * mult + add) >> 8)) >> (shift - 8).
 */
#include "sparse_cores.h"

#if defined(__ARM_FEATURE_MVE)

        .macro  LONG v
        vshr.s32 q6, \v, #8
        vshl.i32 \v, \v, #24
        vmul.i32 q6, q6, r6
        vshr.u32 \v, \v, #24
        vmul.i32 \v, \v, r6
        vadd.i32 \v, \v, r11
        vshr.s32 \v, \v, #8
        vadd.i32 \v, \v, q6
        vshl.s32 \v, r3
        .endm

        .macro  LONG_END q, i
        vldrw.u32 q6, [r0, #WIDE + 32 * \i]
        vmovlb.s16 q7, \q
        vadd.i32 q7, q7, q6
        vldrw.u32 q6, [r0, #WIDE + 32 * \i + 16]
        vmovlt.s16 \q, \q
        vadd.i32 \q, \q, q6
        LONG    q7
        LONG    \q
        JOIN    \q
        .endm

        FUNCTION mcugen1_sparse_long, mcugen1_sparse_long
        ldr     r11, [r0, #ADD]
        ldr     r3, [r0, #MINUS_SHIFT]
        adds    r3, r3, #8
        BY_REGISTERS
        REGISTERS LONG_END
        ldr     pc, [lr, #CLAMP]
        .size   mcugen1_sparse_long, . - mcugen1_sparse_long
#endif
