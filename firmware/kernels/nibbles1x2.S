/* nibbles1x2.S - strips of 1 word of nibbles, over every second word of x. */
#include "nibbles_strips.h"

#ifdef MCUGEN_NIBBLES
        NIBBLES mcugen1_nibbles1x2, 1, 2
#endif
