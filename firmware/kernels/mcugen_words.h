/* mcugen_words.h - four pixels at once: arithmetic on the bytes of words, for kernels on images in lanes. */
#ifndef MCUGEN_WORDS_H
#define MCUGEN_WORDS_H

#include <stdint.h>

/* The larger of each pair of bytes. */
static inline uint32_t mcugen_max4(uint32_t a, uint32_t b)
{
#if defined(__ARM_FEATURE_DSP)
    uint32_t y;

    /* One statement: USUB8 sets the flags that SEL reads. */
    __asm__("usub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(y) : "r"(a), "r"(b) : "cc");
    return y;
#else
    const uint32_t top = 0x80808080u;
    /* Without borrows between bytes: the top bit of each says whether the lower seven bits of a are at least b's. */
    const uint32_t low = (a | top) - (b & ~top);
    /* At least: a's top bit alone decides where it differs from b's, the lower bits where it does not. */
    const uint32_t least = ((a & ~b) | (~(a ^ b) & low)) & top;
    const uint32_t mask = (least >> 7) * 0xffu;

    return (a & mask) | (b & ~mask);
#endif
}

/* The smaller of each byte and what beyond's lacks to 255. */
static inline uint32_t mcugen_below4(uint32_t v, uint32_t beyond)
{
    return ~mcugen_max4(~v, beyond);
}

#if defined(__ARM_FEATURE_MVE)
uint32_t mcugen1_total_mve(const void *x, uint32_t n); /* the sum of n bytes */
#endif

/* All Cortex-M: the sums of the bytes of n words of each plane, which lie `plane` words apart; 1 <= n <= 257, or with the
 * DSP extension below 2^22; planes >= 1. */
void mcugen1_totals_thumb(const uint32_t *x, uint32_t n, uint32_t plane, uint32_t planes, uint32_t *sums);

/* sums[l] += byte l of each of n words. A sum of 257 bytes fits 16 bits, so two are kept in a word. */
static inline void mcugen_sum4(const uint32_t *x, uint32_t n, uint32_t sums[4])
{
    while (n > 0) {
        const uint32_t count = n < 257u ? n : 257u;
        const uint32_t *const end = x + count;
        uint32_t even = 0, odd = 0;

        n -= count;
        while (x != end) {
            const uint32_t v = *x++;

            even += v & 0x00ff00ffu;
            odd += (v >> 8) & 0x00ff00ffu;
        }
        sums[0] += even & 0xffffu;
        sums[1] += odd & 0xffffu;
        sums[2] += even >> 16;
        sums[3] += odd >> 16;
    }
}

#endif
