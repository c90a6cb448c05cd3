/* add_lanes_ref.c - rows as plain bytes, or by words: with SMLAD where there is the DSP extension, in assembler for Armv6-M. */
#include "add_lanes.h"
#include "mcugen_dsp.h"

#if defined(__ARM_FEATURE_MVE)

static void add_words(struct mcugen_add_rule r, const uint32_t *a, const uint32_t *b, uint32_t *y, const uint32_t *end)
{
    const int32_t rule[] = {r.mult_a, r.mult_b, r.add, r.lo, r.hi, -(int32_t)r.shift};

    mcugen1_add_words_mve(rule, a, b, y, (uint32_t)(end - y) * 4);
}

#else

static uint32_t limited(int32_t v, int32_t lo, int32_t hi)
{
    return (uint32_t)(v < lo ? lo : v > hi ? hi : v);
}

#if defined(__ARM_FEATURE_DSP)

/* Both sums of two pixels of a and two of b, each pair as halves of a word, into low and high. */
static inline void two(const struct mcugen_add_rule *r, uint32_t mults, uint32_t a, uint32_t b, int32_t *low,
                       int32_t *high)
{
    *low = mcugen_smlad(mcugen_lower_halves(a, b), mults, r->add) >> r->shift;
    *high = mcugen_smlad(mcugen_upper_halves(a, b), mults, r->add) >> r->shift;
}

static void add_words(struct mcugen_add_rule r, const uint32_t *a, const uint32_t *b, uint32_t *y, const uint32_t *end)
{
    const uint32_t mults = mcugen_lower_halves((uint32_t)r.mult_a, (uint32_t)r.mult_b);
    int32_t v[4];

    if (r.lo == 0 && r.hi == 255) {
        while (y != end) {
            const uint32_t p = *a++, q = *b++;

            two(&r, mults, mcugen_even_u8(p), mcugen_even_u8(q), &v[0], &v[2]);
            two(&r, mults, mcugen_odd_u8(p), mcugen_odd_u8(q), &v[1], &v[3]);
            *y++ = mcugen_lower_halves(mcugen_clamp_u8(v[0]), mcugen_clamp_u8(v[2])) |
                   mcugen_lower_halves(mcugen_clamp_u8(v[1]), mcugen_clamp_u8(v[3])) << 8;
        }
    } else {
        while (y != end) {
            const uint32_t p = *a++, q = *b++;

            two(&r, mults, mcugen_even_u8(p), mcugen_even_u8(q), &v[0], &v[2]);
            two(&r, mults, mcugen_odd_u8(p), mcugen_odd_u8(q), &v[1], &v[3]);
            *y++ = limited(v[0], r.lo, r.hi) | limited(v[1], r.lo, r.hi) << 8 | limited(v[2], r.lo, r.hi) << 16 |
                   limited(v[3], r.lo, r.hi) << 24;
        }
    }
}

#else

static void add_words(struct mcugen_add_rule r, const uint32_t *a, const uint32_t *b, uint32_t *y, const uint32_t *end)
{
    const uint8_t *const p = (const uint8_t *)a, *const q = (const uint8_t *)b;
    uint8_t *const to = (uint8_t *)y;
    const uint32_t n = (uint32_t)((const uint8_t *)end - to);

#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1 && !defined(__ARM_ARCH_ISA_ARM)
    if (r.lo == 0) {
        mcugen1_add_words_m0(&r, a, b, y, end);
        return;
    }
#endif
    if (r.lo == 0 && r.hi == 255) {
        for (uint32_t i = 0; i < n; i++) {
            const int32_t v = (p[i] * r.mult_a + q[i] * r.mult_b + r.add) >> r.shift;

            to[i] = (uint8_t)((uint32_t)v > 255u ? ~(v >> 31) : v); /* 0 or all ones */
        }
    } else {
        for (uint32_t i = 0; i < n; i++) {
            to[i] = (uint8_t)limited((p[i] * r.mult_a + q[i] * r.mult_b + r.add) >> r.shift, r.lo, r.hi);
        }
    }
}

#endif

#endif

static uint32_t first(const struct mcugen_lanes *l, uint32_t row)
{
    return (uint32_t)mcugen_lanes_at(l, (int32_t)row, 0) / 4u;
}

MCUGEN_WEAK void mcugen1_add_lanes_ref(const struct mcugen_add_lanes *k, const void *a, const void *b, void *y)
{
    const struct mcugen_add_rule rule = {k->mult_a, k->mult_b, k->add, k->lo, k->hi, k->shift};
    const uint32_t *p = (const uint32_t *)a, *q = (const uint32_t *)b;
    uint32_t *to = (uint32_t *)y;
    uint32_t rows = k->out.rows, words = k->out.width;

    /* Garbage rows and pad columns between rows are added too, whatever they show, and sealed afterwards. */
    if (k->a.pad_cols == k->out.pad_cols && k->b.pad_cols == k->out.pad_cols) {
        words = rows * mcugen_lanes_pitch(&k->out) - k->out.pad_cols;
        rows = 1;
    }
    for (uint32_t c = 0; c < k->out.channels; c++, p += k->a.plane, q += k->b.plane, to += k->out.plane) {
        for (uint32_t row = 0; row < rows; row++) {
            uint32_t *const start = to + first(&k->out, row);

            add_words(rule, p + first(&k->a, row), q + first(&k->b, row), start, start + words);
        }
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
