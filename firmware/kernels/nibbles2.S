/* nibbles2.S - strips of 2 words of nibbles. */
#include "nibbles_strips.h"

#ifdef MCUGEN_NIBBLES
        NIBBLES mcugen1_nibbles2, 2, 1
#endif
