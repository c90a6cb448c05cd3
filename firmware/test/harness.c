/* harness.c - runs a stream of little programs of kernel calls and compares every byte. Nothing in it knows a kernel.
 *
 * harness_table.h is written by tests/harness.py from the registries: it includes the kernels' headers and defines
 *
 *     HARNESS_KERNELS(K)      K(stem, (arguments of mcugen1_<stem> from k, in[], out, scratch)) ...
 *     HARNESS_FUNCTIONS(F)    F(name) ... what structs point to
 *     HARNESS_UNPACKERS(F)    F(name) ... mcugen_unpack_fn
 *     HARNESS_DOTS(F)         F(name) ... int32_t (const uint8_t *x, const int8_t *w, uint32_t n), or NULL
 *
 * With HARNESS_LIBRARY a shared library with harness_run(), else a program over port.h that reads cases.bin.
 *
 * The stream is little-endian words; bytes are padded to whole words:
 *
 *     stream  ::= "MHRN" VERSION sizeof(void *) programs program*
 *     program ::= data_bytes arena_bytes blocks relocations data (offset size)* (at kind target)* op* END
 *     op      ::= FILL seed                                       noise into the arena and the fences around it
 *              |  PUT offset n bytes
 *              |  RUN kernel struct inputs (offset size)*         spans of the inputs, the output, the scratch
 *              |  CHECK offset n bytes
 *              |  UNPACK function table first n offset            unpacks into the arena
 *              |  DOT function x w n offset                       x in the arena, w in data; stores 4 bytes
 *
 * data holds structs and tables (in its blocks; between them is forbidden ground), relocations make the pointers in it.
 * RUN, UNPACK and DOT may write what they are given to write and nothing else.
 *
 * Per failing program a line with its first mismatch, then PASS n or FAIL k of n. Exit status: 0 pass, 1 a mismatch,
 * 2 the stream is unusable, 3 a fault (see startup.c). A line #n before each program tells which one crashed. */
#include "harness_table.h"

#include <string.h>

#if !defined(HARNESS_LIBRARY)
#include "port.h"
#endif

#if defined(__SANITIZE_ADDRESS__)
#define HARNESS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HARNESS_ASAN 1
#endif
#endif

#if defined(HARNESS_ASAN)
#include <sanitizer/asan_interface.h>
#define FORBID(p, n) __asan_poison_memory_region(p, n)
#define ALLOW(p, n) __asan_unpoison_memory_region(p, n)
#define NO_ASAN __attribute__((no_sanitize("address")))
#else
#define NO_ASAN
#define FORBID(p, n) ((void)(p), (void)(n))
#define ALLOW(p, n) ((void)(p), (void)(n))
#endif

#define MAGIC 0x4E52484Du /* "MHRN" */
#define VERSION 1u
#define FENCE 16u /* bytes before and after the arena */
#define MAX_INPUTS 8u

enum { END, FILL, PUT, RUN, CHECK, UNPACK, DOT };
enum { TO_DATA, TO_FUNCTION };
enum { WRONG_BYTE = 1, WROTE_OUTSIDE, WROTE_CONSTANTS };

struct harness_result {
    uint32_t program;
    uint32_t step; /* the call it follows, from 0 within the program */
    uint32_t kind;
    int32_t index; /* of the byte in the arena; in WRONG_BYTE in the checked run of bytes */
    uint32_t got;
    uint32_t want;
};

struct span {
    uint32_t at;
    uint32_t n;
};

/* ---- the registries ---- */

#define KERNEL(stem, arguments)                                                            \
    static void run_##stem(const void *k, const void *const *in, void *out, void *scratch) \
    {                                                                                      \
        (void)scratch;                                                                     \
        mcugen1_##stem arguments;                                                          \
    }
HARNESS_KERNELS(KERNEL)
#undef KERNEL

#define KERNEL(stem, arguments) run_##stem,
static void (*const kernels[])(const void *, const void *const *, void *, void *) = {HARNESS_KERNELS(KERNEL)};

#define FUNCTION(name) (void (*)(void)) name,
static void (*const functions[])(void) = {HARNESS_FUNCTIONS(FUNCTION)};

#define UNPACKER(name) name,
static const mcugen_unpack_fn unpackers[] = {HARNESS_UNPACKERS(UNPACKER)};

#if defined(HARNESS_DOTS)
#define DOT_FUNCTION(name) name,
static int32_t (*const dots[])(const uint8_t *, const int8_t *, uint32_t) = {HARNESS_DOTS(DOT_FUNCTION)};
#endif

#define COUNT(a) ((uint32_t)(sizeof(a) / sizeof *(a)))

/* ---- the stream ---- */

static const uint8_t *next;
static uint32_t left; /* bytes at next */
static const char *broken;

#if defined(HARNESS_LIBRARY)
static int refill(void)
{
    return 0;
}
#else
static int stream;
static uint32_t buffer[64];

static int refill(void)
{
    const int32_t n = port_read(stream, buffer, sizeof buffer);

    next = (const uint8_t *)buffer;
    left = n > 0 ? (uint32_t)n : 0;
    return left > 0;
}
#endif

static void refuse(const char *why)
{
    if (broken == NULL) {
        broken = why;
    }
}

/* The next n bytes; zeros, which end everything, once the stream is broken. */
static void get(void *to, uint32_t n)
{
    uint8_t *p = to;

    memset(p, 0, n);
    while (n > 0 && broken == NULL) {
        if (left == 0 && !refill()) {
            refuse("the stream ends too early");
            return;
        }

        const uint32_t part = n < left ? n : left;

        memcpy(p, next, part);
        next += part;
        left -= part;
        p += part;
        n -= part;
    }
}

static uint32_t word(void)
{
    uint32_t v;

    get(&v, sizeof v);
    return v;
}

static void get_padded(uint8_t *to, uint32_t n)
{
    uint32_t rest;

    get(to, n);
    get(&rest, (0u - n) & 3u);
}

/* ---- memory ---- */

static uint32_t pool[HARNESS_POOL / 4] __attribute__((aligned(8)));

static uint8_t *const data = (uint8_t *)pool;
static uint32_t data_bytes, data_sum;
static uint8_t *arena;
static uint32_t arena_bytes;
static uint32_t *field, *shadow; /* fence, arena, fence; and what it held before a call */
static uint32_t field_words;

/* Of all data, forbidden ground too. */
NO_ASAN static uint32_t checksum(void)
{
    uint32_t sum = 2166136261u;

    for (uint32_t i = 0; i < data_bytes / 4; i++) {
        sum = (sum ^ pool[i]) * 16777619u;
    }
    return sum;
}

static void fill(uint32_t seed)
{
    uint32_t v = seed * 0x9E3779B9u | 1u;

    for (uint32_t i = 0; i < field_words; i++) {
        v ^= v << 13;
        v ^= v >> 17;
        v ^= v << 5;
        field[i] = v;
    }
}

static int inside(uint32_t at, uint32_t n, uint32_t size)
{
    if (at <= size && n <= size - at) {
        return 1;
    }
    refuse("an offset is out of range");
    return 0;
}

static struct span get_span(void)
{
    struct span s;

    s.at = word();
    s.n = word();
    if (!inside(s.at, s.n, arena_bytes)) {
        s.at = s.n = 0;
    }
    return s;
}

/* Layout: data, 4 bytes (the arena is aligned to 4, not to 8), field, shadow. */
static void load(void)
{
    ALLOW(data, sizeof pool);
    data_bytes = word();
    arena_bytes = word();

    const uint32_t blocks = word(), relocations = word();

    if (data_bytes % 8 != 0 || arena_bytes % 4 != 0 || data_bytes > HARNESS_POOL || arena_bytes > HARNESS_POOL ||
        data_bytes + 4 + 2 * (arena_bytes + 2 * FENCE) > HARNESS_POOL) {
        refuse("a program is too big");
        data_bytes = arena_bytes = 0;
    }
    field = (uint32_t *)(void *)(data + data_bytes + 4);
    arena = (uint8_t *)field + FENCE;
    field_words = (arena_bytes + 2 * FENCE) / 4;
    shadow = field + field_words;

    get(data, data_bytes);
    for (uint32_t i = 0; i < blocks && broken == NULL; i++) {
        const uint32_t at = word(), n = word();

        inside(at, n, data_bytes);
        if (i == 0) {
            FORBID(data, data_bytes);
        }
        ALLOW(data + at, n);
    }
    for (uint32_t i = 0; i < relocations && broken == NULL; i++) {
        const uint32_t at = word(), kind = word(), target = word();

        if (!inside(at, sizeof(void *), data_bytes)) {
            break;
        }
        if (kind == TO_FUNCTION && target < COUNT(functions)) {
            memcpy(data + at, &functions[target], sizeof functions[target]);
        } else if (kind == TO_DATA && target < data_bytes) {
            const uint8_t *const p = data + target;

            memcpy(data + at, &p, sizeof p);
        } else {
            refuse("a relocation has no target");
        }
    }
    data_sum = checksum();
}

/* ---- operations ---- */

static struct harness_result current;
static uint32_t calls;

static void report(uint32_t kind, int32_t index, uint32_t got, uint32_t want)
{
    if (current.kind == 0) {
        current.step = calls - 1;
        current.kind = kind;
        current.index = index;
        current.got = got;
        current.want = want;
    }
}

static void before_call(void)
{
    calls++;
    for (uint32_t i = 0; i < field_words; i++) {
        shadow[i] = field[i];
    }
}

static void after_call(const struct span *written, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        memcpy((uint8_t *)shadow + FENCE + written[i].at, arena + written[i].at, written[i].n);
    }
    for (uint32_t i = 0; i < field_words; i++) {
        if (field[i] != shadow[i]) {
            const uint8_t *const got = (const uint8_t *)(field + i), *const want = (const uint8_t *)(shadow + i);
            uint32_t b = 0;

            while (got[b] == want[b]) {
                b++;
            }
            report(WROTE_OUTSIDE, (int32_t)(4 * i + b) - (int32_t)FENCE, got[b], want[b]);
            break;
        }
    }
    if (checksum() != data_sum) {
        report(WROTE_CONSTANTS, 0, 0, 0);
    }
}

static void run(void)
{
    const uint32_t kernel = word(), at = word(), inputs = word();
    const void *in[MAX_INPUTS] = {NULL};
    struct span spans[MAX_INPUTS + 2];

    if (inputs > MAX_INPUTS || kernel >= COUNT(kernels)) {
        refuse("no such kernel");
        return;
    }
    for (uint32_t i = 0; i < inputs + 2; i++) {
        spans[i] = get_span();
    }
    if (broken != NULL || !inside(at, 0, data_bytes)) {
        return;
    }

    const struct span *const out = spans + inputs;

    before_call();
    FORBID(field, 4 * field_words);
    for (uint32_t i = 0; i < inputs + 2; i++) {
        ALLOW(arena + spans[i].at, spans[i].n);
    }
    for (uint32_t i = 0; i < inputs; i++) {
        in[i] = arena + spans[i].at;
    }
    kernels[kernel](data + at, in, arena + out[0].at, out[1].n > 0 ? arena + out[1].at : NULL);
    ALLOW(field, 4 * field_words);
    after_call(out, 2);
}

static void check(void)
{
    const struct span s = get_span();
    uint8_t want[32];

    for (uint32_t i = 0; i < s.n; i++) {
        if (i % sizeof want == 0) {
            get_padded(want, s.n - i < sizeof want ? s.n - i : (uint32_t)sizeof want);
        }
        if (arena[s.at + i] != want[i % sizeof want]) {
            report(WRONG_BYTE, (int32_t)i, arena[s.at + i], want[i % sizeof want]);
        }
    }
}

static void unpack(void)
{
    const uint32_t function = word(), table = word(), first = word(), n = word(), at = word();
    const struct span written = {at, n};

    if (function >= COUNT(unpackers) || !inside(table, 0, data_bytes) || !inside(at, n, arena_bytes)) {
        refuse("no such unpacker");
        return;
    }
    before_call();
    FORBID(field, 4 * field_words);
    ALLOW(arena + at, n);
    unpackers[function](data + table, first, n, (int8_t *)arena + at);
    ALLOW(field, 4 * field_words);
    after_call(&written, 1);
}

static void dot(void)
{
    const uint32_t function = word(), x = word(), w = word(), n = word(), at = word();
    const struct span written = {at, 4};

#if defined(HARNESS_DOTS)
    if (function < COUNT(dots) && dots[function] != NULL && inside(x, n, arena_bytes) && inside(w, n, data_bytes) &&
        inside(at, 4, arena_bytes)) {
        int32_t v;

        before_call();
        FORBID(field, 4 * field_words);
        ALLOW(arena + x, n);
        v = dots[function](arena + x, (const int8_t *)data + w, n);
        ALLOW(field, 4 * field_words);
        memcpy(arena + at, &v, 4);
        after_call(&written, 1);
        return;
    }
#endif
    (void)function, (void)x, (void)w, (void)n, (void)written;
    refuse("no such dot product");
}

/* One program; current tells how it went. */
static void execute(uint32_t number)
{
    memset(&current, 0, sizeof current);
    current.program = number;
    load();
    calls = 0;
    for (uint32_t op = word(); op != END && broken == NULL; op = word()) {
        switch (op) {
        case FILL:
            fill(word());
            break;
        case PUT: {
            const struct span s = get_span();

            get_padded(arena + s.at, s.n);
            break;
        }
        case RUN:
            run();
            break;
        case CHECK:
            check();
            break;
        case UNPACK:
            unpack();
            break;
        case DOT:
            dot();
            break;
        default:
            refuse("no such operation");
        }
    }
}

/* The number of programs; 0 if this is no stream for this harness. */
static uint32_t open_stream(void)
{
    const uint32_t magic = word(), version = word(), pointer = word(), count = word();

    if (magic != MAGIC || version != VERSION || pointer != sizeof(void *)) {
        refuse("the stream is for another harness");
        return 0;
    }
    return count;
}

#if defined(HARNESS_LIBRARY)

__attribute__((visibility("default"))) int harness_run(const uint8_t *blob, uint32_t size,
                                                       struct harness_result *results, uint32_t room);

/* The number of failing programs, of which the first `room` are told in results; -1: the stream is unusable.
 * One caller at a time. */
int harness_run(const uint8_t *blob, uint32_t size, struct harness_result *results, uint32_t room)
{
    int failed = 0;

    next = blob;
    left = size;
    broken = NULL;

    const uint32_t count = open_stream();

    for (uint32_t i = 0; i < count && broken == NULL; i++) {
        execute(i);
        if (current.kind != 0 && (uint32_t)failed++ < room) {
            results[failed - 1] = current;
        }
    }
    return broken != NULL ? -1 : failed;
}

#else

static void print_number(const char *name, uint32_t v)
{
    port_print(name);
    port_print_u32(v);
}

static void print_failure(void)
{
    print_number("program ", current.program);
    print_number(" step ", current.step);
    print_number(" kind ", current.kind);
    port_print(" byte ");
    port_print_i32(current.index);
    print_number(": got ", current.got);
    print_number(", want ", current.want);
    port_print("\n");
}

int main(void)
{
    uint32_t failed = 0;

    stream = port_open_read("cases.bin");
    if (stream < 0) {
        refuse("there is no cases.bin");
    }

    const uint32_t count = open_stream();

    for (uint32_t i = 0; i < count && broken == NULL; i++) {
        print_number("#", i);
        port_print("\n");
        execute(i);
        if (current.kind != 0) {
            failed++;
            print_failure();
        }
    }
    if (broken != NULL) {
        port_print("ERROR ");
        port_print(broken);
        port_print("\n");
        port_exit(2);
    }
    print_number(failed ? "FAIL " : "PASS ", failed ? failed : count);
    if (failed) {
        print_number(" of ", count);
    }
    print_number("\nstack ", port_stack_used());
    port_print("\n");
    port_exit(failed ? 1 : 0);
}

#endif
