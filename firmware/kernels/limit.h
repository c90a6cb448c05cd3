/* limit.h - bytes to lo .. hi, for kernels whose own end knows 0 .. 255 only. */
#ifndef MCUGEN_LIMIT_H
#define MCUGEN_LIMIT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* n words of four pixels each. */
void mcugen1_limit_ref(uint32_t *y, uint32_t n, uint32_t lo, uint32_t hi);

/* n bytes, a multiple of 4; y is aligned to 4. */
static inline void mcugen_limit(uint8_t *y, uint32_t n, uint32_t lo, uint32_t hi)
{
    if (lo > 0u || hi < 255u) {
        mcugen1_limit_ref((uint32_t *)(void *)y, n / 4u, lo, hi);
    }
}

#ifdef __cplusplus
}
#endif

#endif
