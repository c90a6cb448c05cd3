/* chunks6x2.S - chunks: strips of 6 words, over every second word of x. */
#include "chunks_m0.h"

#ifdef MCUGEN_CHUNKS_STRIPS
        CHUNK_STRIPS mcugen1_chunks6x2, 6, 2
#endif
