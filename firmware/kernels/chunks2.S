/* chunks2.S - chunks: strips of 2 words. */
#include "chunks_m0.h"

#ifdef MCUGEN_CHUNKS_STRIPS
        CHUNK_STRIPS mcugen1_chunks2, 2, 1
#endif
