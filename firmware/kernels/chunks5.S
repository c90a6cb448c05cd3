/* chunks5.S - chunks: strips of 5 words. */
#include "chunks_m0.h"

#ifdef MCUGEN_CHUNKS_STRIPS
        CHUNK_STRIPS mcugen1_chunks5, 5, 1
#endif
