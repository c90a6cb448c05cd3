/* nibbles4x2.S - strips of 4 words of nibbles, over every second word of x. */
#include "nibbles_strips.h"

#ifdef MCUGEN_NIBBLES
        NIBBLES mcugen1_nibbles4x2, 4, 2
#endif
