/* chunks_m0.S - channels and runs of strips of chunks, for Armv6-M and Armv8-M Baseline. */
#include "chunks_m0.h"

#ifdef MCUGEN_CHUNKS_STRIPS
        LAYER   mcugen1_chunks_m0, chunks
#endif
