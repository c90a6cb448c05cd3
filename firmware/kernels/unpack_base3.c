/* unpack_base3.c - five weights a byte: each multiplication by 3 carries the next digit out of the low 8 bits. */
#include "unpack.h"

MCUGEN_WEAK void mcugen1_unpack_base3(const uint8_t *w, uint32_t first, uint32_t n, int8_t *out)
{
    const int8_t *const end = out + n;
    uint32_t skip = first % 5; /* digits of the first byte that come before `first` */

    for (w += first / 5; out < end; w++) {
        uint32_t rest = *w;

        for (uint32_t i = 0; i < 5 && out < end; i++) {
            rest *= 3;
            if (skip > 0) {
                skip--;
            } else {
                *out++ = (int8_t)((int32_t)(rest >> 8) - 1);
            }
            rest &= 0xff;
        }
    }
}
