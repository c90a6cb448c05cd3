/* port.c - the port over Arm semihosting: an emulator or a debug probe does the work. No libc, no heap. */
#include "port.h"

#include <stddef.h>

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_EXIT = 0x18,
    SYS_EXIT_EXTENDED = 0x20
};

enum { MODE_RB = 1, MODE_WB = 5 };

#define STOPPED_ERROR 0x20023u /* ADP_Stopped_RunTimeErrorUnknown */
#define STOPPED_EXIT 0x20026u  /* ADP_Stopped_ApplicationExit */

extern uint32_t __stack_limit__[], __stack_top__[];

static int32_t semihost(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory", "cc");
    return (int32_t)r0;
}

static uint32_t word(const void *p)
{
    return (uint32_t)(uintptr_t)p;
}

static int open_file(const char *name, uint32_t mode)
{
    uint32_t length = 0;

    while (name[length] != '\0')
        length++;

    const uint32_t block[3] = {word(name), mode, length};
    return (int)semihost(SYS_OPEN, block);
}

/* READ and WRITE answer with the bytes that were not moved, and may move fewer than they could. */
static int32_t move(uint32_t operation, int h, uint32_t at, uint32_t n)
{
    uint32_t done = 0;

    while (done < n) {
        const uint32_t block[3] = {(uint32_t)h, at + done, n - done};
        const int32_t left = semihost(operation, block);

        if (left < 0 || (uint32_t)left >= n - done)
            break;
        done = n - (uint32_t)left;
    }
    return (int32_t)done;
}

int port_open_read(const char *name)
{
    return open_file(name, MODE_RB);
}

int port_open_write(const char *name)
{
    return open_file(name, MODE_WB);
}

int32_t port_read(int h, void *buf, uint32_t n)
{
    return move(SYS_READ, h, word(buf), n);
}

int32_t port_write(int h, const void *buf, uint32_t n)
{
    return move(SYS_WRITE, h, word(buf), n);
}

void port_close(int h)
{
    const uint32_t block[1] = {(uint32_t)h};

    semihost(SYS_CLOSE, block);
}

void port_print(const char *s)
{
    semihost(SYS_WRITE0, s);
}

void port_print_u32(uint32_t v)
{
    char text[11];
    char *p = text + sizeof text;

    *--p = '\0';
    do {
        *--p = (char)('0' + v % 10u);
        v /= 10u;
    } while (v != 0);
    port_print(p);
}

void port_print_i32(int32_t v)
{
    if (v < 0)
        port_print("-");
    port_print_u32(v < 0 ? 0u - (uint32_t)v : (uint32_t)v);
}

void port_exit(int status)
{
    /* No word of paint left: the stack reached the data below it, and no result can be trusted. */
    if (port_stack_used() >= (uint32_t)(__stack_top__ - __stack_limit__) * 4u) {
        port_print("FAULT stack overflow\n");
        status = 3;
    }

    const uint32_t block[2] = {STOPPED_EXIT, (uint32_t)status};
    semihost(SYS_EXIT_EXTENDED, block);
    /* Old hosts refuse the extended call and return. */
    semihost(SYS_EXIT, (const void *)(uintptr_t)(status == 0 ? STOPPED_EXIT : STOPPED_ERROR));
    for (;;) {
    }
}
