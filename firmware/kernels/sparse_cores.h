/* sparse_cores.h - the assembler macros of `sparse` for this core; MCUGEN_SPARSE_STRIPS where there are any,
 * MCUGEN_SPARSE_PAIRS where they have tokens for pairs of channels. */
/* clang-format off */
#ifndef MCUGEN_SPARSE_CORES_H
#define MCUGEN_SPARSE_CORES_H
#ifdef __ASSEMBLER__

#if defined(__ARM_FEATURE_MVE)
#define MCUGEN_SPARSE_STRIPS
#include "sparse_mve.h"
#elif defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
#define MCUGEN_SPARSE_STRIPS
#define MCUGEN_SPARSE_PAIRS
#if defined(__ARM_FEATURE_DSP)
#include "sparse_dsp.h"
#else
#include "sparse_m3.h"
#endif
#include "sparse_strips.h"
#elif defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#define MCUGEN_SPARSE_STRIPS
#include "sparse_m0.h"
#endif

#endif
#endif
