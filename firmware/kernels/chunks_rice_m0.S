/* chunks_rice_m0.S - the Rice code of a channel's weights to two lists, for Armv6-M. */
/* clang-format off */
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#include "sparse_rice_m0.h"

        FUNCTION mcugen1_chunks_lists
        RICE    0
        DONE
        ldr     r3, [sp, #PLUS_END]
        mov     r0, r9
        str     r0, [r3]
        mov     r0, r8
        adds    r0, r0, #2
        RETURN  FRAME + 8
        .size   mcugen1_chunks_lists, . - mcugen1_chunks_lists

/* uint16_t *mcugen1_chunks_run(uint16_t *to, const uint16_t *from, uint32_t token, uint32_t n): n entries, 1 to 17, the
 * first in front of their token; where the next one goes. 28 cycles, and 4 an entry.
 */
        FUNCTION mcugen1_chunks_run
        push    {r4, lr}
        ldrh    r4, [r1]
        strh    r4, [r0]
        strh    r2, [r0, #2]
        adr     r4, 1f
        lsls    r3, r3, #1              /* the last entry at r0 + 34, of r1 + 32 */
        adds    r0, r0, r3
        adds    r1, r1, r3
        subs    r0, r0, #34
        subs    r1, r1, #34
        lsls    r3, r3, #1
        subs    r4, r4, r3
        adds    r4, r4, #4
        mov     pc, r4
        .p2align 2
        .irp    at, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32
        ldrh    r2, [r1, #\at]
        strh    r2, [r0, #\at + 2]
        .endr
        .p2align 2
1:      adds    r0, r0, #36
        pop     {r4, pc}
        .size   mcugen1_chunks_run, . - mcugen1_chunks_run
#endif
