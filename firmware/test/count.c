/* count.c - instructions of one inference, step by step and as a whole, on a machine of QEMU with -icount shift=8.
 *
 * There an instruction takes 256 ns of the machine's time, which MCUGEN_COUNTER, a counter of the MPS boards, counts in
 * ticks of its clock: more than five an instruction, so that rounding loses none. Every figure is the difference from
 * the same call of a function that is one instruction long, and is printed with it.
 *
 * MCUGEN_STEP and MCUGEN_RUN are the model's functions. x.bin holds the input; the output goes to y.bin. */
#include "port.h"
#include MCUGEN_KAT

typedef void (*step_fn)(kat_model *m, unsigned step, const void *x, void *y);
typedef void (*run_fn)(kat_model *m, const void *x, void *y);
typedef void (*any_fn)(void); /* C converts function pointers of any type to each other */

static kat_model model;
static uint64_t x[(KAT_IN_BYTES + 7) / 8], y[(KAT_OUT_BYTES + 7) / 8];

__attribute__((naked)) static void nothing(void)
{
    __asm__ volatile("bx lr");
}

static uint32_t now(void)
{
    return *(const volatile uint32_t *)MCUGEN_COUNTER;
}

__attribute__((noinline)) static uint32_t time_step(any_fn f, unsigned step)
{
    const uint32_t before = now();

    ((step_fn)f)(&model, step, x, y);
    return now() - before;
}

__attribute__((noinline)) static uint32_t time_run(any_fn f)
{
    const uint32_t before = now();

    ((run_fn)f)(&model, x, y);
    return now() - before;
}

static void print(uint32_t ticks, uint32_t of_nothing)
{
    port_print("ticks ");
    port_print_u32(ticks);
    port_print(" less ");
    port_print_u32(of_nothing);
    port_print("\n");
}

int main(void)
{
    const int in = port_open_read("x.bin");
    int out;

    if (in < 0 || port_read(in, x, KAT_IN_BYTES) != (int32_t)KAT_IN_BYTES) {
        return 2;
    }
    for (unsigned i = 0; i < KAT_STEPS; i++) {
        print(time_step((any_fn)MCUGEN_STEP, i), time_step(nothing, i));
    }
    print(time_run((any_fn)MCUGEN_RUN), time_run(nothing));
    out = port_open_write("y.bin");
    return out >= 0 && port_write(out, y, KAT_OUT_BYTES) == (int32_t)KAT_OUT_BYTES ? 0 : 2;
}
