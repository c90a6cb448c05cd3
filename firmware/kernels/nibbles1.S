/* nibbles1.S - strips of 1 word of nibbles. */
#include "nibbles_strips.h"

#ifdef MCUGEN_NIBBLES
        NIBBLES mcugen1_nibbles1, 1, 1
#endif
