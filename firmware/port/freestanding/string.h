/* string.h - for compilers that bring no C library: what GCC and clang expect to find in any case. */
#ifndef MCUGEN_FREESTANDING_STRING_H
#define MCUGEN_FREESTANDING_STRING_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#ifdef __cplusplus
}
#endif

#endif
