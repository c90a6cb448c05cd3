/* chunks1.S - chunks: strips of 1 word. */
#include "chunks_m0.h"

#ifdef MCUGEN_CHUNKS_STRIPS
        CHUNK_STRIPS mcugen1_chunks1, 1, 1
#endif
