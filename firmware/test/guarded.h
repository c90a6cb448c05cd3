/* guarded.h - one model under test: fences round what it writes, noise in all that it must not read. */
#ifndef MCUGEN_GUARDED_H
#define MCUGEN_GUARDED_H

/* MCUGEN_KAT names the generated <name>_kat.h. It includes <name>.h and defines
 *
 *     KAT_MODEL_NAME                  a string
 *     KAT_IN_BYTES, KAT_OUT_BYTES     of one input and one output, at least 1
 *     KAT_STEPS                       number of steps, at least 1
 *     KAT_ARENA_BYTES                 the first bytes of the struct that a trace shows, at most sizeof(kat_model)
 *     KAT_COUNT                       embedded vectors, at least 1
 *     static const uint8_t kat_x[KAT_COUNT][KAT_IN_BYTES], kat_y[KAT_COUNT][KAT_OUT_BYTES]
 *     typedef struct <name> kat_model;
 *     static inline void kat_run(kat_model *m, const uint8_t *x, uint8_t *y);
 *     static inline void kat_step(kat_model *m, unsigned step, const uint8_t *x, uint8_t *y);
 *
 * Outputs are the little-endian bytes of the numbers. x comes at any alignment, y and *m are aligned to 8 bytes.
 * The struct holds scratch memory only: nothing in it may need initialisation. kat_run equals the steps
 * 0 .. KAT_STEPS - 1 in this order. */
#include <stdint.h>
#include <string.h>
#include MCUGEN_KAT

#if defined(__SANITIZE_ADDRESS__)
#define GUARDED_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GUARDED_ASAN 1
#endif
#endif

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#define GUARDED_MSAN 1
#endif
#endif

#if defined(GUARDED_ASAN)
#include <sanitizer/asan_interface.h>
#endif
#if defined(GUARDED_MSAN)
#include <sanitizer/msan_interface.h>
#endif

#define FENCE_BYTES 16
#define FENCE_SEED 0x0FE2CE00u

/* What guarded_check() finds. */
enum { WROTE_OUTSIDE_MODEL = 1, WROTE_OUTSIDE_Y = 2, WROTE_INPUT = 4 };

/* The members before and after have alignment 1, so no padding lies between a fence and what it guards. */
static union {
    uint64_t align;
    struct {
        uint8_t before[FENCE_BYTES];
        kat_model model;
        uint8_t after[FENCE_BYTES];
    } in;
} guarded_m;

static union {
    uint64_t align;
    struct {
        uint8_t before[FENCE_BYTES];
        uint8_t y[KAT_OUT_BYTES];
        uint8_t after[FENCE_BYTES];
    } in;
} guarded_y;

static uint8_t guarded_x[KAT_IN_BYTES + 3];
static uint32_t guarded_x_sum;

/* Where the input of a vector goes: every alignment takes its turn. */
static inline uint8_t *guarded_input(uint32_t vector)
{
    return guarded_x + vector % 4u;
}

/* The same noise on every machine, so that traces can be compared. */
static inline void guarded_noise(void *to, uint32_t n, uint32_t seed)
{
    uint8_t *p = to;
    uint32_t v = seed * 0x9E3779B9u | 1u;

    for (uint32_t i = 0; i < n; i += 4) {
        v ^= v << 13;
        v ^= v >> 17;
        v ^= v << 5;
        memcpy(p + i, &v, n - i < 4 ? n - i : 4);
    }
}

static inline uint32_t guarded_sum(const uint8_t *p, uint32_t n)
{
    uint32_t sum = 2166136261u;

    for (uint32_t i = 0; i < n; i++)
        sum = (sum ^ p[i]) * 16777619u;
    return sum;
}

/* Under AddressSanitizer a fence is forbidden ground too: then reading there is an error as well. */
static inline void fence_close(uint8_t fence[FENCE_BYTES], uint32_t seed)
{
    guarded_noise(fence, FENCE_BYTES, FENCE_SEED + seed);
#if defined(GUARDED_ASAN)
    __asan_poison_memory_region(fence, FENCE_BYTES);
#endif
}

static inline int fence_broken(uint8_t fence[FENCE_BYTES], uint32_t seed)
{
    uint8_t want[FENCE_BYTES];

#if defined(GUARDED_ASAN)
    __asan_unpoison_memory_region(fence, FENCE_BYTES);
#endif
    guarded_noise(want, FENCE_BYTES, FENCE_SEED + seed);
    return memcmp(fence, want, FENCE_BYTES) != 0;
}

static inline void guarded_close(void)
{
    fence_close(guarded_m.in.before, 0);
    fence_close(guarded_m.in.after, 1);
    fence_close(guarded_y.in.before, 2);
    fence_close(guarded_y.in.after, 3);
}

/* Call with the input in place, before each run. */
static inline void guarded_prepare(uint32_t vector)
{
    guarded_x_sum = guarded_sum(guarded_input(vector), KAT_IN_BYTES);
    guarded_noise(&guarded_m.in.model, sizeof guarded_m.in.model, 2 * vector + 1);
    guarded_noise(guarded_y.in.y, KAT_OUT_BYTES, 2 * vector + 2);
#if defined(GUARDED_MSAN)
    /* To MemorySanitizer the noise is no content: deciding by it is an error, and so is leaving it in y. */
    __msan_poison(&guarded_m.in.model, sizeof guarded_m.in.model);
    __msan_poison(guarded_y.in.y, KAT_OUT_BYTES);
#endif
    guarded_close();
}

/* Opens the fences. 0, or a sum of the WROTE_... above. */
static inline unsigned guarded_check(uint32_t vector)
{
    unsigned bad = 0;

    /* Bitwise: all four fences are to be opened. */
    if (fence_broken(guarded_m.in.before, 0) | fence_broken(guarded_m.in.after, 1))
        bad |= WROTE_OUTSIDE_MODEL;
    if (fence_broken(guarded_y.in.before, 2) | fence_broken(guarded_y.in.after, 3))
        bad |= WROTE_OUTSIDE_Y;
    if (guarded_sum(guarded_input(vector), KAT_IN_BYTES) != guarded_x_sum)
        bad |= WROTE_INPUT;
    return bad;
}

#endif
