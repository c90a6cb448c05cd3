/* mcugen.h - what all kernels share: conventions, interface version, weights, images in lanes.
 *
 * A kernel is `void mcugen1_<stem>_ref(const struct mcugen_<stem> *k, const void *x, ..., void *y, void *scratch)`.
 * k, x and the tables that k points to are only read. y and scratch overlap nothing else unless the kernel's header
 * says so. Flat images have any alignment; images in lanes and scratch are aligned to 4 bytes. Nothing can fail:
 * the generator has proven sizes and ranges. >> on negative numbers is arithmetic (GCC, clang, armcc and iar agree).
 * Symbols carry the interface's version and are weak: two generated models link into one program.
 */
#ifndef MCUGEN_H
#define MCUGEN_H

/* Build options, given to compiler and assembler alike. Names of sections have no quotes: -DMCUGEN_HOT_SECTION=.ramfunc
 *
 *     MCUGEN_HOT_SECTION      where the assembled functions go, in which a model spends its time: into sections of this
 *                             name and .<function>. In RAM or ITCM they do not wait for the flash. The linker script
 *                             places them, and the start-up code copies them, as .data.
 *     MCUGEN_WEIGHTS_SECTION  where a model's tables go, weights first of all: a flash that is mapped into memory.
 *     MCUGEN_STEP_BEGINS(model, step), MCUGEN_STEP_ENDS(model, step)
 *                             what <model>_run does round each step, from a header by -include: read a cycle counter,
 *                             feed a watchdog. model is a string, steps count from 0.
 */
#ifndef MCUGEN_HOT_SECTION
#define MCUGEN_HOT_SECTION .text
#endif

#ifdef __ASSEMBLER__
/* clang-format off */
        .syntax unified

/* The section of a function, or of several. */
        .macro  HOT name
        .section MCUGEN_HOT_SECTION.\name, "ax", %progbits
        .endm

/* The head of a function, wherever it stands. */
        .macro  HEAD name
        .weak   \name
        .thumb_func
        .type   \name, %function
\name:
        .endm

/* The same in a section of its own, or in one that functions share. */
        .macro  FUNCTION name, section
        .ifb    \section
        HOT     \name
        .else
        HOT     \section
        .endif
        .thumb
        .p2align 2
        HEAD    \name
        .endm
/* clang-format on */
#else

#include <stdint.h>

#define MCUGEN_KERNELS_VERSION 1
#define MCUGEN_WEAK __attribute__((weak))

#ifdef MCUGEN_WEIGHTS_SECTION
#define MCUGEN_TEXT_OF(x) #x
#define MCUGEN_TEXT(x) MCUGEN_TEXT_OF(x)
#define MCUGEN_WEIGHTS __attribute__((section(MCUGEN_TEXT(MCUGEN_WEIGHTS_SECTION))))
#else
#define MCUGEN_WEIGHTS
#endif

#ifndef MCUGEN_STEP_BEGINS
#define MCUGEN_STEP_BEGINS(model, step) ((void)0)
#endif
#ifndef MCUGEN_STEP_ENDS
#define MCUGEN_STEP_ENDS(model, step) ((void)0)
#endif

/* A model uses this part of a kernel, which the kernel reaches by a table where unused parts are missing (weak). The
 * reference takes it out of a library and is no bytes long. */
#if defined(__ARM_ARCH_ISA_THUMB)
#define MCUGEN_PART(name) __asm__(".reloc ., R_ARM_NONE, mcugen1_" #name);
#else
#define MCUGEN_PART(name)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Unpack weights first .. first + n - 1 of a tensor into out. One function per encoding, see unpack.h. */
typedef void (*mcugen_unpack_fn)(const uint8_t *w, uint32_t first, uint32_t n, int8_t *out);

/* An image in lanes (docs/FORMAT.md): rows of a channel side by side in the bytes of each word, or in its nibbles. */
struct mcugen_lanes {
    uint16_t channels;
    uint16_t height;
    uint16_t width;
    uint16_t rows;      /* per lane; 4 * rows >= height, of nibbles 8 * rows */
    uint8_t halo_top;   /* rows above and below that repeat the neighbouring lanes' rows */
    uint8_t halo_bottom;
    uint8_t pad_cols;   /* words before the first row and after each row */
    uint8_t pad_value;  /* the zero point, of nibbles in both: halo beyond the image, pad columns, garbage rows */
    uint32_t plane;     /* words of a channel */
};

/* Words from one row to the next. */
static inline uint32_t mcugen_lanes_pitch(const struct mcugen_lanes *l)
{
    return (uint32_t)l->width + l->pad_cols;
}

/* Byte offset, within a channel's plane, of lane 0 of (row, x); row may be a halo row, x a pad column. */
static inline int32_t mcugen_lanes_at(const struct mcugen_lanes *l, int32_t row, int32_t x)
{
    return 4 * (l->pad_cols + (row + l->halo_top) * (int32_t)mcugen_lanes_pitch(l) + x);
}

/* Write everything of y but the image itself: pad columns, garbage rows, then halo rows. */
void mcugen1_lanes_seal(const struct mcugen_lanes *l, uint8_t *y);
void mcugen1_lanes_seal_mve(const struct mcugen_lanes *l, uint8_t *y); /* M55, M85 */
void mcugen1_nibbles_seal(const struct mcugen_lanes *l, uint8_t *y);   /* in lanes of nibbles */

#ifdef __cplusplus
}
#endif

#endif
#endif
