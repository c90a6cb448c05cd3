/* nibbles3x2.S - strips of 3 words of nibbles, over every second word of x. */
#include "nibbles_strips.h"

#ifdef MCUGEN_NIBBLES
        NIBBLES mcugen1_nibbles3x2, 3, 2
#endif
