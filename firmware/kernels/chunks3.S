/* chunks3.S - chunks: strips of 3 words. */
#include "chunks_m0.h"

#ifdef MCUGEN_CHUNKS_STRIPS
        CHUNK_STRIPS mcugen1_chunks3, 3, 1
#endif
