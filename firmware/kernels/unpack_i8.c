/* unpack_i8.c - weights as they are. */
#include "unpack.h"

#include <string.h>

MCUGEN_WEAK void mcugen1_unpack_i8(const uint8_t *w, uint32_t first, uint32_t n, int8_t *out)
{
    memcpy(out, w + first, n);
}
