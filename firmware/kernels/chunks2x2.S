/* chunks2x2.S - chunks: strips of 2 words, over every second word of x. */
#include "chunks_m0.h"

#ifdef MCUGEN_CHUNKS_STRIPS
        CHUNK_STRIPS mcugen1_chunks2x2, 2, 2
#endif
