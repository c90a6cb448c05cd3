/* chunks4.S - chunks: strips of 4 words. */
#include "chunks_m0.h"

#ifdef MCUGEN_CHUNKS_STRIPS
        CHUNK_STRIPS mcugen1_chunks4, 4, 1
#endif
