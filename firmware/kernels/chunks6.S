/* chunks6.S - chunks: strips of 6 words. */
#include "chunks_m0.h"

#ifdef MCUGEN_CHUNKS_STRIPS
        CHUNK_STRIPS mcugen1_chunks6, 6, 1
#endif
