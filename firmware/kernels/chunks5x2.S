/* chunks5x2.S - chunks: strips of 5 words, over every second word of x. */
#include "chunks_m0.h"

#ifdef MCUGEN_CHUNKS_STRIPS
        CHUNK_STRIPS mcugen1_chunks5x2, 5, 2
#endif
