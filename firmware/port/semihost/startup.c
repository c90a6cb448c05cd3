/* startup.c - from reset to main() on a bare Cortex-M, the paint on its stack, the last words of a fault. */
#include "port.h"

#define PAINT 0x5AC3691Eu
#define FAULT_STATUS 3

/* From common.ld. */
extern uint32_t __data_load__[], __data_start__[], __data_end__[], __bss_start__[], __bss_end__[];
extern uint32_t __stack_limit__[], __stack_top__[];

int main(void);
void Reset_Handler(void);
void fault_report(const uint32_t *frame);

static void paint_stack(void)
{
    uint32_t *sp;

    /* Volatile: a call of memset in here would use the stack that is being painted. */
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    for (volatile uint32_t *p = __stack_limit__; p < sp; p++)
        *p = PAINT;
}

uint32_t port_stack_used(void)
{
    const volatile uint32_t *p = __stack_limit__;

    while (p < __stack_top__ && *p == PAINT)
        p++;
    return (uint32_t)(__stack_top__ - p) * 4u;
}

void Reset_Handler(void)
{
    const uint32_t *from = __data_load__;

#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* CPACR: coprocessors 10 and 11, FPU and Helium */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
    paint_stack();
    for (uint32_t *to = __data_start__; to < __data_end__;)
        *to++ = *from++;
    for (uint32_t *to = __bss_start__; to < __bss_end__;)
        *to++ = 0;
    port_exit(main());
}

static void print_hex(uint32_t v)
{
    char text[11] = "0x00000000";

    for (int i = 9; i > 1; i--) {
        text[i] = "0123456789abcdef"[v & 15u];
        v >>= 4;
    }
    port_print(text);
}

/* frame: what the core pushed (r0-r3, r12, lr, pc, xpsr), unless the stack itself was lost. */
__attribute__((used, noreturn)) void fault_report(const uint32_t *frame)
{
    uint32_t ipsr;

    __asm__ volatile("mrs %0, ipsr" : "=r"(ipsr));
    port_print("FAULT exception ");
    port_print_u32(ipsr & 0x1FFu);
    if (frame >= __stack_limit__ && frame + 8 <= __stack_top__) {
        port_print(" at pc ");
        print_hex(frame[6]);
    }
    port_print("\n");
    port_exit(FAULT_STATUS);
}

__attribute__((naked)) static void fault(void)
{
    __asm__ volatile("mrs r0, msp\n\tbl fault_report");
}

__attribute__((section(".vectors"), used)) static const struct {
    const void *sp;
    void (*handler[15])(void);
} vectors = {
    __stack_top__,
    {Reset_Handler, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault},
};
