/* chunks_total.S - the end of channels of several chunks, for strips of all widths. */
#include "chunks_m0.h"

#ifdef MCUGEN_CHUNKS_STRIPS
        FUNCTION mcugen1_chunks_total   /* by this name a model asks for it */
        CHUNK_ABOVE 5, r2, r4
        CHUNK_ABOVE 4, r2, r4
        TOTAL_END 6, 5, lr
        TOTAL_END 5, 4, r12
        TOTAL_END 4, 3, r11
        b       1f
        CHUNK_ABOVE 3, r2, r4           /* within the reach of a conditional branch */
1:      TOTAL_END 3, 2, r10
        TOTAL_END 2, 1, r9
        TOTAL_END 1, 0, r8
        ldr     r2, [sp, #BACK]
        mov     pc, r2
        CHUNK_ABOVE 2, r2, r4
        CHUNK_ABOVE 1, r2, r4
        CHUNK_ABOVE 0, r2, r4
        .p2align 2
8:      .word   0x00ff00ff
        .size   mcugen1_chunks_total, . - mcugen1_chunks_total
#endif
