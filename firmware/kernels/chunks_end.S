/* chunks_end.S - the end of channels of one chunk, for strips of all widths. */
#include "chunks_m0.h"

#ifdef MCUGEN_CHUNKS_STRIPS
        FUNCTION mcugen1_chunks_end     /* by this name a model asks for it */
        CHUNK_ABOVE 5
        CHUNK_ABOVE 4
        CHUNK_ABOVE 3
        CHUNK_END 6, 5, lr
        CHUNK_END 5, 4, r12
        CHUNK_END 4, 3, r11
        CHUNK_END 3, 2, r10
        CHUNK_END 2, 1, r9
        CHUNK_END 1, 0, r8
        mov     pc, r2
        CHUNK_ABOVE 2
        CHUNK_ABOVE 1
        CHUNK_ABOVE 0
        .size   mcugen1_chunks_end, . - mcugen1_chunks_end
#endif
