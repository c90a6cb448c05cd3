/* chunks3x2.S - chunks: strips of 3 words, over every second word of x. */
#include "chunks_m0.h"

#ifdef MCUGEN_CHUNKS_STRIPS
        CHUNK_STRIPS mcugen1_chunks3x2, 3, 2
#endif
