/* port.h - what test firmware needs from its surroundings: files, text, an exit status. */
#ifndef MCUGEN_PORT_H
#define MCUGEN_PORT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Names are relative to the working directory of the host. A handle is >= 0; -1: no such file. */
int port_open_read(const char *name);
int port_open_write(const char *name); /* creates or truncates */

/* Bytes really moved; fewer than n only at the end of the file or of the disk. */
int32_t port_read(int h, void *buf, uint32_t n);
int32_t port_write(int h, const void *buf, uint32_t n);
void port_close(int h);

void port_print(const char *s); /* no newline is added */
void port_print_u32(uint32_t v);
void port_print_i32(int32_t v);

/* Ends the program; status is 0..255. A firmware whose stack ran into its data never ends with 0. */
__attribute__((noreturn)) void port_exit(int status);

/* The deepest stack since reset, in bytes, main() included; 0 where it is not known (host). */
uint32_t port_stack_used(void);

#ifdef __cplusplus
}
#endif

#endif
