/* nibbles4.S - strips of 4 words of nibbles. */
#include "nibbles_strips.h"

#ifdef MCUGEN_NIBBLES
        NIBBLES mcugen1_nibbles4, 4, 1
#endif
