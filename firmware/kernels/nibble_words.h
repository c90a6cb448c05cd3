/* nibble_words.h - eight pixels at once: the nibbles of words, for kernels on images in lanes of nibbles. */
#ifndef MCUGEN_NIBBLE_WORDS_H
#define MCUGEN_NIBBLE_WORDS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Lanes 0, 2, 4 and 6, and 1, 3, 5 and 7, as bytes of a word. */
static inline uint32_t mcugen_even_nibbles(uint32_t x)
{
    return x & 0x0f0f0f0fu;
}

static inline uint32_t mcugen_odd_nibbles(uint32_t x)
{
    return (x >> 4) & 0x0f0f0f0fu;
}

/* Two such words put together again, of what a table of nibbles has for their bytes. */
static inline uint32_t mcugen_lookup8(const uint8_t *table, uint32_t even, uint32_t odd)
{
    uint32_t y = table[even & 255u];

    y |= (uint32_t)table[odd & 255u] << 4;
    y |= (uint32_t)table[(even >> 8) & 255u] << 8;
    y |= (uint32_t)table[(odd >> 8) & 255u] << 12;
    y |= (uint32_t)table[(even >> 16) & 255u] << 16;
    y |= (uint32_t)table[(odd >> 16) & 255u] << 20;
    y |= (uint32_t)table[even >> 24] << 24;
    y |= (uint32_t)table[odd >> 24] << 28;
    return y;
}

/* The same of each pixel of n words; y may be x. */
void mcugen1_lookup_nibbles(const uint8_t *table, const uint32_t *x, uint32_t *y, uint32_t n);

#ifdef __cplusplus
}
#endif

#endif
