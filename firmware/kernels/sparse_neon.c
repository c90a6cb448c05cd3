/* sparse_neon.c - eight pixels an instruction, for Arm with NEON: AArch64 and Armv7-A.
 *
 * A strip is 8 words, 4 registers of sums; or 2; or 1, which fills half a register. An entry is a load of 8 bytes and
 * UADDW for each. Programs, tokens and proofs are those of sparse.h.
 */
#include "sparse.h"

#if defined(__ARM_NEON)
#include <arm_neon.h>
#include <stddef.h>
#include <string.h>

#define MOST_ADDED 16U
#define NEGATE 17U
#define CLEAR 18U
#define WIDE_SET 20U
#define WIDE_ADD 21U
#define END_LONG 24U

/* Words of a strip, and how far those of x are apart. Always constants, so that what is not needed goes. */
struct shape {
    uint32_t words;
    uint32_t step;
};

struct sums {
    uint16x8_t v0, v1, v2, v3;
};

struct wide {
    int32x4_t v[8];
};

static inline uint8x8_t pixels(const uint8_t *x, struct shape s)
{
    if (s.words > 1 && s.step == 1) {
        return vld1_u8(x);
    }
    if (s.words > 1 && s.step == 2) { /* words 0 and 2 */
        uint32x2_t words = vdup_n_u32(0);
        uint32_t word;

        memcpy(&word, x, 4);
        words = vset_lane_u32(word, words, 0);
        memcpy(&word, x + 8, 4);
        words = vset_lane_u32(word, words, 1);
        return vreinterpret_u8_u32(words);
    }
    uint32_t word;

    memcpy(&word, x, 4);
    return vreinterpret_u8_u32(vdup_n_u32(word));
}

static inline struct sums add(struct sums a, const uint8_t *x, struct shape s)
{
    a.v0 = vaddw_u8(a.v0, pixels(x, s));
    if (s.words > 2) {
        a.v1 = vaddw_u8(a.v1, pixels(x + 8 * s.step, s));
        a.v2 = vaddw_u8(a.v2, pixels(x + 16 * s.step, s));
        a.v3 = vaddw_u8(a.v3, pixels(x + 24 * s.step, s));
    }
    return a;
}

static inline struct sums from(uint16_t c)
{
    const uint16x8_t v = vdupq_n_u16(c);

    return (struct sums){v, v, v, v};
}

static inline struct sums less(struct sums a, struct sums b)
{
    return (struct sums){vsubq_u16(a.v0, b.v0), vsubq_u16(a.v1, b.v1), vsubq_u16(a.v2, b.v2), vsubq_u16(a.v3, b.v3)};
}

static inline void widen(struct wide *w, uint32_t i, uint16x8_t sums)
{
    const int16x8_t v = vreinterpretq_s16_u16(sums);

    w->v[2 * i] = vaddw_s16(w->v[2 * i], vget_low_s16(v));
    w->v[2 * i + 1] = vaddw_s16(w->v[2 * i + 1], vget_high_s16(v));
}

static inline void widen_all(struct wide *w, struct sums a, struct shape s)
{
    widen(w, 0, a.v0);
    if (s.words > 2) {
        widen(w, 1, a.v1);
        widen(w, 2, a.v2);
        widen(w, 3, a.v3);
    }
}

/* Four pixels, modulo 2^32 in front of the shift, as 16 bits: what is clamped there is clamped to a byte anyway. */
static inline int16x4_t tail_of(const int32_t *tail, int32x4_t sum)
{
    const int32x4_t product = vmlaq_n_s32(vdupq_n_s32(tail[1]), sum, (int16_t)tail[0]);

    return vqmovn_s32(vshlq_s32(product, vdupq_n_s32(-(tail[0] >> 16))));
}

static inline int16x4_t tail_long(const int32_t *tail, int32x4_t sum)
{
    int32_t sums[4], results[4];

    vst1q_s32(sums, sum);
    for (uint32_t i = 0; i < 4; i++) {
        const int64_t v = ((int64_t)sums[i] * (int16_t)tail[0] + tail[1]) >> (tail[0] >> 16);

        results[i] = (int32_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
    return vqmovn_s32(vld1q_s32(results));
}

static inline void finish(const struct mcugen_sparse *k, const int32_t *tail, const struct wide *w, uint32_t i,
                          uint32_t token, uint8_t *y, struct shape s)
{
    const int32x4_t a = w->v[2 * i], b = w->v[2 * i + 1];
    const int16x8_t v = token == END_LONG ? vcombine_s16(tail_long(tail, a), tail_long(tail, b))
                                          : vcombine_s16(tail_of(tail, a), tail_of(tail, b));
    const uint8x8_t bytes = vmin_u8(vmax_u8(vqmovun_s16(v), vdup_n_u8(k->lo)), vdup_n_u8(k->hi));

    if (s.words > 1) {
        vst1_u8(y + 8 * i, bytes);
    } else {
        const uint32_t word = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);

        memcpy(y, &word, 4);
    }
}

/* What a program holds next: its elements have `size` bytes, 1 or 2, but a centre has 2; both lowest byte first. */
static inline uint32_t take(const uint8_t **program, uint32_t size)
{
    uint16_t v = **program;

    if (size == 2) {
        memcpy(&v, *program, 2);
    }
    *program += size;
    return v;
}

/* Runs a channel's program for the strip y; x is where its offsets count from, in units of `unit` bytes. Returns the
 * next program. */
static inline __attribute__((always_inline)) const uint8_t *strip(const struct mcugen_sparse *k, const uint8_t *program,
                                                                  uint32_t size, uint32_t unit, const int32_t *tail,
                                                                  const uint8_t *x, uint8_t *y, struct shape s)
{
    const int32x4_t none = vdupq_n_s32(0);
    struct wide wide = {{none, none, none, none, none, none, none, none}};
    struct sums sum = from(0);
    uint32_t next = take(&program, size), token = 1;

    for (;;) {
        if (token - 1 < MOST_ADDED) {
            for (; token > 0; token--) {
                sum = add(sum, x + unit * next, s);
                next = take(&program, size);
            }
        } else if (token == NEGATE) {
            sum = less(from((uint16_t)take(&program, 2)), sum);
        } else if (token == CLEAR) {
            sum = from(0);
        } else {
            widen_all(&wide, sum, s); /* 0 before the first part */
            sum = from(0);
            if (token != WIDE_SET && token != WIDE_ADD) {
                break;
            }
        }
        token = take(&program, size);
    }
    finish(k, tail, &wide, 0, token, y, s);
    if (s.words > 2) {
        finish(k, tail, &wide, 1, token, y, s);
        finish(k, tail, &wide, 2, token, y, s);
        finish(k, tail, &wide, 3, token, y, s);
    }
    return program;
}

/* The runs of a channel. */
static inline __attribute__((always_inline)) const uint8_t *channel(const struct mcugen_sparse *k,
                                                                    const uint8_t *program, uint32_t size,
                                                                    const int32_t *tail, const uint8_t *x, uint8_t *y,
                                                                    uint32_t step)
{
    const struct shape eight = {8, step}, two = {2, step}, one = {1, step};
    const uint32_t unit = size == 1 ? 4u * k->x_plane : 4;
    const uint8_t *next = program;

    for (const uint16_t *run = k->runs; run != k->runs + 4 * k->run_count; run += 4) {
        const uint8_t *at = x + 4 * run[0];
        uint8_t *to = y + 4 * run[1];
        uint32_t words = run[2];

        for (; words >= 8; words -= 8) {
            next = strip(k, program, size, unit, tail, at, to, eight);
            at += 32 * step;
            to += 32;
        }
        for (; words >= 2; words -= 2) {
            next = strip(k, program, size, unit, tail, at, to, two);
            at += 8 * step;
            to += 8;
        }
        if (words > 0) {
            next = strip(k, program, size, unit, tail, at, to, one);
        }
    }
    return next;
}

MCUGEN_WEAK void mcugen1_sparse_neon(const struct mcugen_sparse *k, const void *x, void *y, void *scratch)
{
    struct mcugen_sparse_decoder decoder = mcugen_sparse_start(k);
    const uint8_t *program = (const uint8_t *)k->weights;

    for (uint32_t o = 0; o < k->out.channels; o++) {
        uint8_t *const to = (uint8_t *)y + 4 * k->out.plane * o;

        const uint16_t *decoded;
        const int32_t *const tail = mcugen_sparse_channel(k, o, &decoder, scratch, &decoded);

        if (decoded != NULL) {
            program = (const uint8_t *)decoded;
        }
        if (k->x_plane > 0) {
            program = channel(k, program, 1, tail, (const uint8_t *)x, to, 1);
        } else if (k->step == 1) {
            program = channel(k, program, 2, tail, (const uint8_t *)x, to, 1);
        } else {
            program = channel(k, program, 2, tail, (const uint8_t *)x, to, 2);
        }
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
#endif
