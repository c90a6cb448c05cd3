/* port.c - the port over stdio: the same test programs run on a workstation. */
#include "port.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_FILES 8

static FILE *files[MAX_FILES];

static int open_file(const char *name, const char *mode)
{
    for (int h = 0; h < MAX_FILES; h++) {
        if (files[h] == NULL) {
            files[h] = fopen(name, mode);
            return files[h] == NULL ? -1 : h;
        }
    }
    return -1;
}

int port_open_read(const char *name)
{
    return open_file(name, "rb");
}

int port_open_write(const char *name)
{
    return open_file(name, "wb");
}

int32_t port_read(int h, void *buf, uint32_t n)
{
    return (int32_t)fread(buf, 1, n, files[h]);
}

int32_t port_write(int h, const void *buf, uint32_t n)
{
    return (int32_t)fwrite(buf, 1, n, files[h]);
}

void port_close(int h)
{
    fclose(files[h]);
    files[h] = NULL;
}

void port_print(const char *s)
{
    fputs(s, stdout);
    fflush(stdout); /* a sanitiser that aborts flushes nothing */
}

void port_print_u32(uint32_t v)
{
    printf("%lu", (unsigned long)v);
}

void port_print_i32(int32_t v)
{
    printf("%ld", (long)v);
}

void port_exit(int status)
{
    exit(status);
}

uint32_t port_stack_used(void)
{
    return 0;
}
