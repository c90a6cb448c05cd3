/* sparse_split_mve.S - channels whose sums take 32 bits, tokens 20, 21 and 22, for strips of all widths. */
#include "sparse_cores.h"

#if defined(__ARM_FEATURE_MVE)

        .macro  WIDE_SET q, i
        vmovlb.s16 q7, \q
        vmovlt.s16 \q, \q
        vstrw.32 q7, [r0, #WIDE + 32 * \i]
        vstrw.32 \q, [r0, #WIDE + 32 * \i + 16]
        vmov.i32 \q, #0
        .endm

        .macro  WIDE_ADD q, i
        vldrw.u32 q6, [r0, #WIDE + 32 * \i]
        vmovlb.s16 q7, \q
        vadd.i32 q7, q7, q6
        vldrw.u32 q6, [r0, #WIDE + 32 * \i + 16]
        vmovlt.s16 \q, \q
        vadd.i32 \q, \q, q6
        vstrw.32 q7, [r0, #WIDE + 32 * \i]
        vstrw.32 \q, [r0, #WIDE + 32 * \i + 16]
        vmov.i32 \q, #0
        .endm

        .macro  WIDE_END q, i
        vldrw.u32 q6, [r0, #WIDE + 32 * \i]
        vmovlb.s16 q7, \q
        vadd.i32 q7, q7, q6
        vldrw.u32 q6, [r0, #WIDE + 32 * \i + 16]
        vmovlt.s16 \q, \q
        vadd.i32 \q, \q, q6
        SCALE_WIDE \q
        .endm

        FUNCTION mcugen1_sparse_split, mcugen1_sparse_split  /* 32-bit sums = sums, sums = 0 */
        BY_REGISTERS
        REGISTERS WIDE_SET
        ldr     pc, [lr, #NEXT]
        .size   mcugen1_sparse_split, . - mcugen1_sparse_split

        FUNCTION mcugen1_sparse_split_add, mcugen1_sparse_split  /* 32-bit sums += sums, sums = 0 */
        BY_REGISTERS
        REGISTERS WIDE_ADD
        ldr     pc, [lr, #NEXT]
        .size   mcugen1_sparse_split_add, . - mcugen1_sparse_split_add

        FUNCTION mcugen1_sparse_split_end, mcugen1_sparse_split  /* the end */
        ldr     r11, [r0, #ADD]
        ldr     r3, [r0, #MINUS_SHIFT]
        BY_REGISTERS
        REGISTERS WIDE_END
        ldr     pc, [lr, #CLAMP]
        .size   mcugen1_sparse_split_end, . - mcugen1_sparse_split_end
#endif
