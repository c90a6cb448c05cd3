/* chunks1x2.S - chunks: strips of 1 word, over every second word of x. */
#include "chunks_m0.h"

#ifdef MCUGEN_CHUNKS_STRIPS
        CHUNK_STRIPS mcugen1_chunks1x2, 1, 2
#endif
