/* nibbles3.S - strips of 3 words of nibbles. */
#include "nibbles_strips.h"

#ifdef MCUGEN_NIBBLES
        NIBBLES mcugen1_nibbles3, 3, 1
#endif
