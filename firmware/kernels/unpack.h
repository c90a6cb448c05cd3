/* unpack.h - the weight encodings (docs/FORMAT.md, mcugen/pack.py): out[i] = weight first + i, for i < n. */
#ifndef MCUGEN_UNPACK_H
#define MCUGEN_UNPACK_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

void mcugen1_unpack_i8(const uint8_t *w, uint32_t first, uint32_t n, int8_t *out);     /* 8 bits a weight */
void mcugen1_unpack_planes(const uint8_t *w, uint32_t first, uint32_t n, int8_t *out); /* ternary, 2 bits */
void mcugen1_unpack_base3(const uint8_t *w, uint32_t first, uint32_t n, int8_t *out);  /* ternary, 1.6 bits */

#ifdef __cplusplus
}
#endif

#endif
