/* sparse_shift_mve.S - the end in 32 bits, token 19, for strips of all widths. */
#include "sparse_cores.h"

#if defined(__ARM_FEATURE_MVE)

        .macro  SHIFT q, i
        vmovlb.s16 q7, \q
        vmovlt.s16 \q, \q
        SCALE_WIDE \q
        .endm

        FUNCTION mcugen1_sparse_shift, mcugen1_sparse_shift
        ldr     r11, [r0, #ADD]
        ldr     r3, [r0, #MINUS_SHIFT]
        BY_REGISTERS
        REGISTERS SHIFT
        ldr     pc, [lr, #CLAMP]
        .size   mcugen1_sparse_shift, . - mcugen1_sparse_shift
#endif
