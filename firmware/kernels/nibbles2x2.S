/* nibbles2x2.S - strips of 2 words of nibbles, over every second word of x. */
#include "nibbles_strips.h"

#ifdef MCUGEN_NIBBLES
        NIBBLES mcugen1_nibbles2x2, 2, 2
#endif
