/* chunks4x2.S - chunks: strips of 4 words, over every second word of x. */
#include "chunks_m0.h"

#ifdef MCUGEN_CHUNKS_STRIPS
        CHUNK_STRIPS mcugen1_chunks4x2, 4, 2
#endif
