/* tables4_dsp.S - sums by tables, for cores with the DSP extension, of which it needs nothing. */
#if defined(__ARM_FEATURE_DSP)
#include "tables4_thumb.h"

        TABLES4 mcugen1_tables4_dsp
#endif
