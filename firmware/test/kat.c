/* kat.c - known-answer test of one generated model, on any machine that has a port.
 *
 * Without a file kat.bin: the vectors embedded in <name>_kat.h. With it: the vectors in the file, one at a
 * time. kat.bin is six little-endian words (magic, version, count, in_bytes, out_bytes, flags), then per vector its
 * input and its expected output; all outputs go to out.bin. Flag 1 asks for a trace: the steps run one by one,
 * and after each the arena and y go to trace.bin.
 *
 * Exit status: 0 pass, 1 a wrong answer, 2 the files are unusable, 3 a fault (see startup.c). */
#include "guarded.h"
#include "port.h"

#define KAT_MAGIC 0x54414B4Du /* "MKAT" */
#define KAT_VERSION 1u
#define KAT_FLAG_TRACE 1u

enum { PASS, FAIL, UNUSABLE };

struct streams {
    int in;    /* kat.bin, or -1 */
    int out;   /* out.bin, or -1 */
    int trace; /* trace.bin, or -1 */
    uint32_t count;
};

static void print_pair(const char *name, uint32_t v)
{
    port_print(name);
    port_print_u32(v);
}

static void give_up(const char *why)
{
    port_print("ERROR ");
    port_print(why);
    port_print("\n");
    port_exit(UNUSABLE);
}

static void get(int h, void *to, uint32_t n)
{
    if (port_read(h, to, n) != (int32_t)n)
        give_up("kat.bin ends too early");
}

static void put(int h, const void *from, uint32_t n)
{
    if (port_write(h, from, n) != (int32_t)n)
        give_up("an output file cannot be written");
}

static int create(const char *name)
{
    const int h = port_open_write(name);

    if (h < 0)
        give_up("an output file cannot be opened");
    return h;
}

static struct streams open_streams(void)
{
    struct streams s = {port_open_read("kat.bin"), -1, -1, KAT_COUNT};
    uint32_t head[6];

    if (s.in < 0)
        return s;

    get(s.in, head, sizeof head);
    if (head[0] != KAT_MAGIC || head[1] != KAT_VERSION)
        give_up("kat.bin is no file of this version");
    if (head[3] != KAT_IN_BYTES || head[4] != KAT_OUT_BYTES)
        give_up("kat.bin has vectors of another size");
    s.count = head[2];
    s.out = create("out.bin");
    if (head[5] & KAT_FLAG_TRACE)
        s.trace = create("trace.bin");
    return s;
}

static void print_damage(uint32_t vector, unsigned bad)
{
    print_pair("vector ", vector);
    port_print(":");
    if (bad & WROTE_OUTSIDE_MODEL)
        port_print(" wrote outside of the model struct");
    if (bad & WROTE_OUTSIDE_Y)
        port_print(" wrote outside of y");
    if (bad & WROTE_INPUT)
        port_print(" changed its input");
    port_print("\n");
}

/* Says after which step the damage was first seen, which a plain run cannot. */
static unsigned run_traced(int trace, uint32_t vector, const uint8_t *x)
{
    unsigned bad = 0;

    for (unsigned step = 0; step < KAT_STEPS; step++) {
        kat_step(&guarded_m.in.model, step, x, guarded_y.in.y);

        const unsigned now = guarded_check(vector);
        put(trace, &guarded_m.in.model, KAT_ARENA_BYTES);
        put(trace, guarded_y.in.y, KAT_OUT_BYTES);
        if (now && !bad) {
            print_pair("vector ", vector);
            print_pair(": damage in step ", step);
            port_print("\n");
        }
        bad |= now;
        guarded_close();
    }
    guarded_check(vector); /* opens the fences */
    return bad;
}

/* Prints the first difference. The expected output comes in pieces: RAM is short. */
static int differs(int in, uint32_t vector)
{
    int found = 0;
    uint8_t piece[32];

    for (uint32_t at = 0; at < KAT_OUT_BYTES; at += sizeof piece) {
        const uint32_t left = (uint32_t)KAT_OUT_BYTES - at;
        const uint32_t n = left < sizeof piece ? left : (uint32_t)sizeof piece;

        if (in < 0)
            memcpy(piece, kat_y[vector] + at, n);
        else
            get(in, piece, n);
        for (uint32_t i = 0; i < n && !found; i++) {
            const uint8_t got = guarded_y.in.y[at + i];

            if (got == piece[i])
                continue;
            found = 1;
            print_pair("vector ", vector);
            print_pair(": byte ", at + i);
            print_pair(": got ", got);
            print_pair(", want ", piece[i]);
            port_print("\n");
        }
    }
    return found;
}

static int run_vector(const struct streams *s, uint32_t vector)
{
    uint8_t *const x = guarded_input(vector);
    unsigned bad;

    if (s->in < 0)
        memcpy(x, kat_x[vector], KAT_IN_BYTES);
    else
        get(s->in, x, KAT_IN_BYTES);
    guarded_prepare(vector);
    if (s->trace < 0) {
        kat_run(&guarded_m.in.model, x, guarded_y.in.y);
        bad = guarded_check(vector);
    } else {
        bad = run_traced(s->trace, vector, x);
    }
    if (bad)
        print_damage(vector, bad);
    if (s->out >= 0)
        put(s->out, guarded_y.in.y, KAT_OUT_BYTES);
    return differs(s->in, vector) || bad;
}

int main(void)
{
    uint32_t failed = 0;

    print_pair("kat " KAT_MODEL_NAME " in ", KAT_IN_BYTES);
    print_pair(" out ", KAT_OUT_BYTES);
    print_pair(" steps ", KAT_STEPS);
    print_pair(" arena ", KAT_ARENA_BYTES);
    port_print("\n");

    const struct streams s = open_streams();
    for (uint32_t vector = 0; vector < s.count; vector++)
        failed += run_vector(&s, vector) ? 1u : 0u;

    if (port_stack_used() != 0) {
        print_pair("stack ", port_stack_used());
        port_print("\n");
    }
    if (failed) {
        print_pair("FAIL ", failed);
        print_pair(" of ", s.count);
    } else {
        print_pair("PASS ", s.count);
    }
    port_print("\n");
    return failed ? FAIL : PASS;
}
