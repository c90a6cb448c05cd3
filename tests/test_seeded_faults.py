"""The kernel tests find faults: each one here is put into a copy of firmware/kernels and must be reported."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from harness import Harness, Program, Report, all_programs, relayout_programs, thinned
from test_kernels import dot_programs, narrow_programs, needs_arm, unpack_programs

from mcugen import resources


@dataclass(frozen=True)
class Fault:
    """`old` becomes `new` in a kernel source; `caught`: programs or failures that must be among what is reported."""

    name: str
    file: str
    old: str
    new: str
    caught: tuple[str, ...]


FAULTS = (
    Fault("remainder dropped", "dot_ref.c", "i < n;", "i < n / 4 * 4;", ("^Linear 5-", r"^mcugen1_dot_ref n=1\b")),
    Fault(
        "top halo not filled",
        "lanes_ref.c",
        "*const from = &to[away];",
        "*const from = &to[away - 1u];",
        ("^Conv2d 3x3-.*conv2d_lanes", "^relayout", "^MaxPool .*maxpool_lanes"),
    ),
    Fault(
        "bottom halo not filled",
        "lanes_ref.c",
        "for (uint32_t i = 0; i < n; i++) {\n            to[i] =",
        "for (uint32_t i = 1; i < n; i++) {\n            to[i] =",
        ("^Conv2d 3x3-.*conv2d_lanes", "^relayout", "^Add .*add_lanes"),
    ),
    Fault(
        "garbage rows not sealed",
        "lanes.c",
        "? (l->height - from)",
        "? (l->height + 1u - from)",
        ("^Add 2x25x5", "^relayout"),
    ),
    Fault(
        "garbage in upper nibbles",
        "nibbles_seal.c",
        "if (high < low)",
        "if (high + 1u < low)",
        ("^relayout .*nibble_lanes", "^Conv2d .*nibbles"),
    ),
    Fault(
        "odd pixels as even ones",
        "nibble_words.h",
        "return (x >> 4) & 0x0f0f0f0fu;",
        "return (x >> 5) & 0x0f0f0f0fu;",
        ("^Add .*binary_nibbles", "^Lookup .*unary_nibbles", "^AvgPool .*avgpool_nibbles"),
    ),
    Fault(
        "sums of pixels overflow bytes",
        "avgpool_nibbles_ref.c",
        "#define ROOM 17u",
        "#define ROOM 18u",
        ("^AvgPool .*avgpool_nibbles",),
    ),
    Fault(
        "halves of bytes swapped",
        "relayout_nibbles_ref.c",
        "pack(p, &p[half], q, r.n);",
        "pack(&p[half], p, q, r.n);",
        ("^relayout .*>nibble_lanes", "^relayout .*>nibble_lanes.* in place:"),
    ),
    Fault(
        "relayout moves words backwards",
        "relayout_ref.c",
        "for (uint32_t c = 0; c < k->to.channels; c++) {",
        "for (uint32_t c = k->to.channels; c-- > 0u;) {",
        ("^relayout .* in place:",),
    ),
    Fault(
        "runs have the pixels of a row in reverse",
        "relayout_ref.c",
        "byte_at(s, (y * width) + x);",
        "byte_at(s, (y * width) + (width - 1u - x));",
        ("^relayout .*lanes.*>runs", "^relayout .*runs.*>lanes"),
    ),
    Fault(
        "pixels beyond the last lane's end are taken for neighbours",
        "relayout_ref.c",
        "together = l->height - three;",
        "together = l->rows;",
        ("^relayout .*runs.*>flat: .*wrote outside",),
    ),
    Fault(
        "requantised plus one",
        "mcugen_fixed.h",
        "(acc * t->mult[c] + t->add[c]) >> t->shift[c];",
        "((acc * t->mult[c] + t->add[c]) >> t->shift[c]) + 1;",
        ("^Conv2d .*-u8 ", "^Linear .*-i16 ", "^Requantize"),
    ),
    Fault(
        "wide sum rounds towards zero",
        "mcugen_fixed.h",
        "t->add[c]) >> t->shift[c];\n        return",
        "t->add[c]) / (1ll << t->shift[c]);\n        return",
        ("^(Conv2d|Linear|Requantize)",),
    ),
    Fault(
        "rounds towards zero",
        "mcugen_fixed.h",
        "const int32_t v = (acc * t->mult[c] + t->add[c]) >> t->shift[c];",
        "const int32_t v = (acc * t->mult[c] + t->add[c]) / (int32_t)(1u << (t->shift[c] & 30));",
        ("^Conv2d",),
    ),
    Fault(
        "saturates at 254",
        "mcugen_fixed.h",
        "t->hi : v;\n",
        "t->hi - (t->hi == 255) : v;\n",
        ("^Conv2d .*-u8 ", "^AvgPool", "^Requantize .*-u8-0 "),
    ),
    Fault(
        "planes swapped",
        "unpack_planes.c",
        "(plus & 1) - (minus & 1)",
        "(minus & 1) - (plus & 1)",
        ("^Conv2d .*conv2d_flat/planes", "^unpack planes"),
    ),
    Fault(
        "window starts late",
        "unpack_base3.c",
        "skip = first % 5;",
        "skip = first % 4;",
        ("^unpack base3", "^Linear .*/base3"),
    ),
    Fault(
        "one weight too many",
        "unpack_base3.c",
        "i < 5 && out < end;",
        "i < 5 && out <= end;",
        ("^unpack base3.*wrote outside", "^Conv2d .*/base3.*wrote outside"),
    ),
    Fault(
        "pads with zero", "conv2d_flat_ref.c", ": &k->pad_value;", ": &k->tail.wide;", ("^Conv2d 3x3-.*conv2d_flat",)
    ),
    Fault(
        "groups ignored",
        "conv2d_lanes_ref.c",
        "(o / group_out * group_in)",
        "(o / group_out * 0)",
        ("^Conv2d groups-",),
    ),
    Fault("digits past a halfword", "sparse_base3.c", "left == 0)", "left == 1)", ("^Conv2d .*sparse/base3",)),
    Fault("upper byte", "sparse_ref.c", "(8U * (at & 1U))", "(8U * (at & 0U))", ("^Conv2d .*sparse/bytes",)),
    Fault("chunks without signs", "chunks_ref.c", "? -sum[i] : sum[i]", "? sum[i] : sum[i]", ("^Conv2d u4-.*chunks",)),
    Fault("another centre", "chunks_rice.c", "257U * highest", "256U * highest", ("^Conv2d .*chunks/rice",)),
    Fault("kept once", "paired_ref.c", "? 2 * kept[i]", "? kept[i]", ("^Conv2d .*paired/pairs16",)),
    Fault("a list's tokens", "paired_rice_ref.c", "w->ended > 0U; w", "w->ended > 1U; w", ("^Conv2d .*paired/rice",)),
    Fault("a chunk without its centre", "nibbles_rice_ref.c", "centre += from;", ";", ("^Conv2d .*nibbles/rice",)),
    Fault("a last chunk less", "nibbles_ref.c", "+ 255U - b;", "+ 0U - b;", ("^Conv2d .*nibbles16",)),
    Fault("second block", "lists8_ref.c", "first + lists[i]", "lists[i]", ("^Linear 300-.*lists8",)),
    Fault("no products of weights", "pairs8_ref.c", "b = pairs[p]", "b = 0 * pairs[p]", ("^Linear .*pairs8",)),
    Fault("lower half borrows", "dots8_ref.c", "0x8000U - (", "0U - (", ("^Linear .*dots8",)),
    Fault("heavy weights unread", "dots8_ref.c", "(*word >> 16) & 1U", "0U", ("^Linear .*dots8",)),
    Fault("a bit of the lower half", "linear_wide.c", "a & 0xFFFF", "a & 0x7FFF", ("^Linear .*linear_",)),
    Fault(
        "Blocks: their first weight is dropped",
        "sparse_blocks_ref.c",
        "(block & 7U) << at",
        "(block & 6U) << at",
        ("^Conv2d .*sparse/blocks",),
    ),
    Fault("Rice: sign swapped", "sparse_rice_ref.c", "w < 0", "w > 0", ("^Conv2d .*sparse/rice",)),
    Fault(
        "Rice: k off by one",
        "sparse_scratch.h",
        "(high << k) + low",
        "(high << k << 1) + low",
        ("^Conv2d .*sparse/rice",),
    ),
    Fault(
        "second word beside the first",
        "direct_ref.c",
        "i / 4 * job->step",
        "i / 4 * 1",
        ("^Conv2d 3x3s2-.*direct/", "^DepthwiseConv2d 3x3s2-.*direct/"),
    ),
    Fault("halfwords not told apart", "im2col_ref.c", "(both - low) * at,", "both * at,", ("^Conv2d .*im2col/pairs",)),
    Fault(
        "once more dropped",
        "im2col_ref.c",
        "quad_sum(&job->taps[tail[0] / 8 - 4], tail[1], x)",
        "0",
        ("^Conv2d .*im2col/quads",),
    ),
    Fault("codes in another order", "im2col_ref.c", "t / 16 % 4 * 2", "t % 4 * 2", ("^Conv2d .*im2col/codes",)),
    Fault(
        "a lane without a row is not blanked",
        "im2col_flat_ref.c",
        "missing |= 1u << lane;",
        "missing |= 2u << lane;",
        ("^Conv2d .*im2col_flat/pairs", "^Conv2d .*im2col_nibbles/quads"),
    ),
    Fault(
        "a word of the rows that are kept",
        "im2col_flat_ref.c",
        "&to[stride * pitch], to, kept * pitch",
        "&to[stride * pitch], to, kept * pitch - 1u",
        ("^Conv2d .*im2col_flat/quads", "^Conv2d .*im2col_nibbles/pairs"),
    ),
    Fault(
        "a bit of the lower nibble",
        "im2col_nibbles_ref.c",
        "(high ^ (low >> 4)) & 0x0f0f0f0fu",
        "(high ^ (low >> 4)) & 0x0f0f0f07u",
        ("^Conv2d .*im2col_nibbles/pairs", "^Conv2d .*im2col_nibbles/quads"),
    ),
    Fault("lowest digits dropped", "kronecker_ref.c", "sums[2] + right", "sums[2]", ("^Conv2d .*kronecker",)),
    Fault("pads of another row", "kronecker_ref.c", "k->pad_value, n);", "k->lo, n);", ("^Conv2d .*kronecker",)),
    Fault(
        "the window's second row twice",
        "window_ref.c",
        "(int32_t)i * job->pitch",
        "(int32_t)(i != 0) * job->pitch",
        ("^DepthwiseConv2d .*window/i8", "^DepthwiseConv2d .*window/base3"),
    ),
    Fault(
        "eight pixels' centre forgotten",
        "window_nibbles_ref.c",
        "sums = centre * 0x00010001u",
        "sums = centre",
        ("^DepthwiseConv2d .*window_nibbles/i8",),
    ),
    Fault(
        "lanes are not moved",
        "pad_nibbles_ref.c",
        "(from[i] << (4u * up)) | below",
        "from[i] | below",
        ("^Pad .*pad_nibbles",),
    ),
    Fault(
        "rows of the output's pitch",
        "concat_nibbles_ref.c",
        "&from[k->pitch[i] * row], &to[pitch * row], n);\n                } else",
        "&from[pitch * row], &to[pitch * row], n);\n                } else",
        ("^Concat .*concat_nibbles",),
    ),
    Fault(
        "a factor for all channels",
        "scale_nibbles_ref.c",
        "((const uint8_t *)b)[c]",
        "((const uint8_t *)b)[0]",
        ("^Mul .*scale_nibbles",),
    ),
    Fault(
        "a limit of nibbles dropped",
        "window_nibbles_ref.c",
        "mcugen_below4(mcugen_max4(mcugen_odd_nibbles(y[i]), least), beyond)",
        "mcugen_max4(mcugen_odd_nibbles(y[i]), least)",
        ("^DepthwiseConv2d .*window_nibbles/i8",),
    ),
    Fault(
        "sums of bytes",
        "sparse_ref.c",
        "wide[i] + (int16_t)sum[i], token",
        "wide[i] + (int8_t)sum[i], token",
        ("^Conv2d .*sparse/lists16",),
    ),
    Fault(
        "a sum of 258 bytes in 16 bits",
        "mcugen_words.h",
        "n < 257u ? n : 257u",
        "n < 258u ? n : 258u",
        ("^AvgPool 1x64x20",),
    ),
    Fault("pad columns summed", "avgpool_global_lanes_ref.c", "* k->in.pad_value", "* 0u", ("^AvgPool",)),
    Fault(
        "the lower seven bits not compared",
        "mcugen_words.h",
        "(~(a ^ b) & low)",
        "(~(a ^ b) | low)",
        ("^MaxPool .*maxpool_lanes",),
    ),
    Fault(
        "reads behind its own output",
        "add_flat_ref.c",
        "q[i] * k->mult_b",
        "q[i > 0 ? i - 1 : 0] * k->mult_b",
        ("^Add",),
    ),
    Fault(
        "writes its table",
        "linear_ref.c",
        "const int32_t acc = k->chunk",
        "((uint8_t *)k->weights)[0] ^= 3;\n        const int32_t acc = k->chunk",
        ("^Linear .*wrote into its constants",),
    ),
    Fault(
        "writes its input",
        "requantize_lanes_ref.c",
        "const uint8_t *const from = (const uint8_t *)x +",
        "*(uint8_t *)x = 77;\n            const uint8_t *const from = (const uint8_t *)x +",
        ("^Requantize .*wrote outside",),
    ),
)

# A machine sees more than the host: forbidden ground, unaligned loads, other code.
ELSEWHERE = (
    (
        "sanitised",
        Fault(
            "reads below the image",
            "conv2d_flat_ref.c",
            "y < k->in_h",
            "y <= k->in_h",
            ("^Conv2d 3x3-.*AddressSanitizer",),
        ),
    ),
    (
        "sanitised",
        Fault(
            "computes garbage rows",
            "conv2d_lanes_ref.c",
            "r < k->out.height; r++",
            "r < 4 * k->out.rows; r++",
            ("^narrow .*signed integer overflow",),
        ),
    ),
    (
        "mps2-an386",
        Fault(
            "remainder dropped",
            "dot_dsp.c",
            "for (; n > 0; n--)",
            "for (; n > 1; n--)",
            ("^Linear 5-", "^mcugen1_dot_dsp"),
        ),
    ),
    (
        "mps2-an386",
        Fault(
            "odd pixels clamped to 127",
            "sparse_dsp.h",
            "usat16  \\o, #\\bits",
            "usat16  \\o, #\\bits - 1",
            ("^Conv2d .*sparse",),
        ),
    ),
    (
        "mps2-an386",
        Fault(
            "kept once",
            "sparse_dsp.h",
            "sadd16  r2, r2, r2",
            "sadd16  r2, r2, r0",
            ("^Conv2d .*paired/pairs16",),
        ),
    ),
    (
        "mps2-an386",
        Fault(
            "even pixels stay", "nibbles_strips.h", "\\o, \\o, \\by, lsr #4", "\\o, \\o, #0", ("^Conv2d .*nibbles16",)
        ),
    ),
    (
        "mps2-an386",
        Fault(
            "half of each chunk's 255",
            "nibbles_rice_thumb2.S",
            "r4, r4, #255",
            "r4, r4, #127",
            ("^Conv2d .*nibbles/rice",),
        ),
    ),
    (
        "mps2-an386",
        Fault(
            "half a centre",
            "window_nibbles_thumb2.h",
            "lsl     r2, r2, #13",
            "lsl     r2, r2, #12",
            ("^DepthwiseConv2d .*window_nibbles",),
        ),
    ),
    (
        "mps2-an385",
        Fault(
            "halves not told apart",
            "window_nibbles_thumb2.h",
            "uxth    r12, \\v",
            "mov     r12, \\v",
            ("^DepthwiseConv2d .*window_nibbles",),
        ),
    ),
    (
        "mps2-an385",
        Fault("a pixel twice", "nibbles_m3.h", "r3, \\x, ror #16", "r3, \\x, ror #8", ("^Conv2d .*nibbles16",)),
    ),
    (
        "mps2-an386",
        Fault("a full group", "paired_rice_thumb2.S", "cmp     r3, #34", "cmp     r3, #36", ("^Conv2d .*paired/rice",)),
    ),
    (
        "mps2-an386",
        Fault(
            "parts added without their sign",
            "sparse_dsp.h",
            "sxth    r0, \\e",
            "uxth    r0, \\e",
            ("^Conv2d wide.*sparse",),
        ),
    ),
    (
        "mps2-an386",
        Fault(
            "Rice: k off by one",
            "sparse_rice_thumb2.h",
            "rsb     r7, r6, #31",
            "rsb     r7, r6, #30",
            ("^Conv2d .*sparse/rice", "^Conv2d .*nibbles/rice"),
        ),
    ),
    (
        "mps2-an386",
        Fault(
            "Blocks: a group's end is a weight",
            "sparse_blocks_thumb2.S",
            "sub     r5, r5, r3\n        adds    r5, r5, #1\n",
            "sub     r5, r5, r3\n",
            ("^Conv2d .*sparse/blocks",),
        ),
    ),
    (
        "mps2-an385",
        Fault(
            "a carry stays",
            "sparse_m3.h",
            "sub     \\e, \\e, r2\n        sub     \\o, \\o, \\e, asr #8",
            "sub     \\e, \\e, r2\n        nop",
            ("^Conv2d .*sparse",),
        ),
    ),
    (
        "mps2-an386",
        Fault(
            "bits read into others",
            "rice16_thumb2.h",
            "lsr     r5, r5, r1",
            "lsr     r5, r5, r7",
            ("^Linear .*rice16",),
        ),
    ),
    (
        "mps2-an386",
        Fault("a code lost", "codes2_dsp.S", "INPUTS  12, 14", "INPUTS  12, 12", ("^Linear .*codes2",)),
    ),
    (
        "mps2-an385",
        Fault(
            "an entry moved",
            "tables4_thumb.h",
            "strh    r6, [r7, #\\at + 4]",
            "strh    r6, [r7, #\\at]",
            ("^Linear .*codes81",),
        ),
    ),
    (
        "microbit",
        Fault("a halo shifted back", "relayout_thumb.S", "SHIFT   LAST, lsls", "SHIFT   LAST, lsrs", ("^relayout",)),
    ),
    (
        "mps2-an386",
        Fault("a row too many", "relayout_thumb.S", "r7, r4, #1\n", "r7, r4, #2\n", ("^relayout .*place",)),
    ),
    (
        "mps2-an386",
        Fault("another row", "relayout_thumb.S", "ldrb    r7, [r0, r3]", "ldrb    r7, [r0, r2]", ("^relayout",)),
    ),
    (
        "mps2-an386",
        Fault("lanes exchanged", "relayout_dsp.S", "sel     r9, r9, r10", "sel     r9, r10, r9", ("^relayout",)),
    ),
    (
        "mps2-an386",
        Fault(
            "no halo where one is", "relayout_dsp.S", "cbz     r5, 3f", "b       3f", ("^relayout .*runs9>lanes2.1.1",)
        ),
    ),
    (
        "mps2-an386",
        Fault("another pixel", "relayout_dsp.S", "sel     r10, r5, r4", "sel     r10, r4, r5", ("^relayout .*>runs9",)),
    ),
    (
        "mps2-an385",
        Fault("odd bytes twice", "total_thumb.S", "lsls    r5, r2, #8", "lsls    r5, r2, #7", ("^AvgPool .*global",)),
    ),
    (
        "microbit",
        Fault("-1 added", "lists8_m0.S", "LIST    subs", "LIST    adds", ("^Linear .*lists8",)),
    ),
    (
        "microbit",
        Fault("no sign", "linear_wide_m0.S", "asrs    r4, r4, #16", "lsrs    r4, r4, #16", ("^Linear .*dots8",)),
    ),
    (
        "microbit",
        Fault("bytes not swapped", "dots8_thumb.S", "rev16   r4, \\w", "rev     r4, \\w", ("^Linear .*dots8",)),
    ),
    (
        "mps2-an386",
        Fault("pairs not taken apart", "pairs8_dsp.S", "r11, lsl #8", "r11, lsl #7", ("^Linear .*pairs8",)),
    ),
    (
        "mps2-an386",
        Fault("addend", "linear_halves_thumb2.S", "r8, r1, asr #5", "r8, r1, asr #6", ("^Linear .*linear_",)),
    ),
    (
        "microbit",
        Fault(
            "Rice: k off by one", "sparse_rice_m0.h", "movs    r7, #31", "movs    r7, #30", ("^Conv2d .*sparse/rice",)
        ),
    ),
    (
        "microbit",
        Fault(
            "Blocks: a sign lost",
            "sparse_blocks_m0.S",
            "movs    r2, #15",
            "movs    r2, #14",
            ("^Conv2d .*sparse/blocks",),
        ),
    ),
    (
        "microbit",
        Fault("above hi", "add_lanes_m0.S", "bhi     3", "beq     3", ("^Add .*add_lanes",)),
    ),
    (
        "microbit",
        Fault(
            "words repeated at the wrong place",
            "lanes_thumb.h",
            "lsrs    r3, r3, #28\n        mov     r11, r3",
            "lsrs    r3, r3, #27\n        mov     r11, r3",
            ("^Conv2d .*conv2d_lanes",),
        ),
    ),
    (
        "mps2-an386",
        Fault(
            "upper rows at the wrong half",
            "relayout_nibbles_thumb.S",
            "orr     r6, r6, r10, lsl #4",
            "orr     r6, r6, r10, lsl #3",
            ("^relayout .*>nibble_lanes",),
        ),
    ),
    (
        "mps2-an385",
        Fault(
            "a pad of eight bits",
            "relayout_thumb.S",
            "lsr     r3, r12, #32 - \\by",
            "lsr     r3, r12, #24",
            (r"^relayout .* nibble_lanes.*>nibble_lanes",),
        ),
    ),
    (
        "mps2-an386",
        Fault("one byte too few", "lanes_thumb.S", "adds    r4, r2, #7", "adds    r4, r2, #6", ("^Conv2d .*_lanes",)),
    ),
    (
        "microbit",
        Fault("a sign stays", "sparse_m0.h", "adcs    \\v, \\v, \\l", "adds    \\v, \\v, \\l", ("^Conv2d .*sparse",)),
    ),
    (
        "microbit",
        Fault(
            "odd bytes in even ones",
            "chunks_m0.h",
            "lsls    r7, r4, #8",
            "lsls    r7, r4, #7",
            ("^Conv2d u4-.*chunks",),
        ),
    ),
    (
        "microbit",
        Fault(
            "an offset lost", "chunks_rice_m0.S", "adds    r0, r0, #36", "adds    r0, r0, #34", ("^Conv2d .*chunks/r",)
        ),
    ),
    (
        "mps3-an547",
        Fault("bytes are signed", "lists8_mve.S", "vaddva.u8 \\sum, q1", "vaddva.s8 \\sum, q1", ("^Linear .*lists8",)),
    ),
    (
        "mps3-an547",
        Fault(
            "sign lost", "dot_mve.S", "veor    q1, q1, q3\n        vmladava.u8 r0", "vmladava.u8 r0", ("^Linear .*",)
        ),
    ),
    (
        "mps3-an547",
        Fault(
            "half a pixel", "sparse_mve.h", "vshrnb.i32 \\q, q7, #16", "vshrnb.i32 \\q, q7, #15", ("^Conv2d .*sparse/",)
        ),
    ),
    (
        "mps3-an547",
        Fault(
            "half a pixel of a product",
            "direct_mve.h",
            "vshr.s32 \\sum, \\sum, #16",
            "vshr.s32 \\sum, \\sum, #15",
            ("^Conv2d .*direct/",),
        ),
    ),
    (
        "mps3-an547",
        Fault(
            "128 of each pixel lost",
            "im2col_mve.h",
            "vmlas.u32 q1, q7, r8",
            "vmlas.u32 q1, q7, r0",
            ("^Conv2d .*im2col/",),
        ),
    ),
    (
        "mps3-an547",
        Fault(
            "codes without a sign",
            "im2col_mve.h",
            "vshr.s8 q2, q2, #6",
            "vshr.u8 q2, q2, #6",
            ("^Conv2d .*im2col/codes",),
        ),
    ),
    (
        "mps3-an547",
        Fault(
            "halo of one word", "lanes_mve.S", "vsli.32 q1, q0, #8", "vsli.32 q1, q0, #16", ("^Conv2d 3x3-.*_lanes",)
        ),
    ),
    (
        "microbit",
        Fault(
            "loads whole words",
            "dot_ref.c",
            "sum += x[i] * w[i];",
            "sum += (int32_t)(*(const uint32_t *)(const void *)(x + i) & 255) * w[i];",
            ("FAULT exception 3.*mcugen1_dot_ref",),
        ),
    ),
)


@cache
def programs() -> tuple[Program, ...]:
    return (*unpack_programs(), *dot_programs(["mcugen1_dot_ref"]), *all_programs(), *narrow_programs())


def concerned(fault: Fault, some: Sequence[Program]) -> list[Program]:
    """Those that must report it, as far as their names tell: what a pattern says of a failure is behind the name."""
    patterns = [*fault.caught]
    for i, pattern in enumerate(patterns):
        if not any(re.search(pattern, f"{p.name}:") for p in some):
            patterns[i] = pattern.partition(".*")[0] if pattern.startswith("^") else ""
    return [p for p in some if any(re.search(pattern, f"{p.name}:") for pattern in patterns)]


def seeded(fault: Fault, target: str, work: Path, some: Sequence[Program]) -> Report:
    kernels, build = work / "kernels", work / "build"
    shutil.copytree(resources.KERNELS, kernels)
    build.mkdir()
    path = kernels / fault.file
    text = path.read_text()
    assert text.count(fault.old) == 1, f"{fault.name}: {fault.file} has changed, the fault cannot be put in"
    path.write_text(text.replace(fault.old, fault.new))
    return Harness(target, build, kernels).run(concerned(fault, some))


def assert_caught(fault: Fault, report: Report) -> None:
    lines = [re.sub(r"\s+", " ", str(f)) for f in report.failures]
    for pattern in fault.caught:
        assert any(re.search(pattern, line) for line in lines), f"{fault.name}: no {pattern} in\n{report}"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name)
def test_fault_is_found(fault: Fault, tmp_path: Path) -> None:
    assert_caught(fault, seeded(fault, "host", tmp_path, programs()))


@pytest.mark.parametrize(
    "target, fault",
    [pytest.param(t, f, id=f"{f.name} on {t}", marks=() if t == "sanitised" else needs_arm) for t, f in ELSEWHERE],
)
def test_fault_is_found_elsewhere(target: str, fault: Fault, tmp_path: Path) -> None:
    narrow = fault.name == "computes garbage rows"
    dots = dot_programs([f"mcugen1_{fault.file[:-2]}"]) if fault.file.startswith("dot") else ()
    some = [*narrow_programs()] if narrow else [*(p for p in all_programs() if p.name[:4] in ("Line", "Conv", "Add "))]
    if fault.file.startswith("relayout"):
        some = [*relayout_programs()]
    elif fault.file.startswith("window"):
        some = [p for p in all_programs() if p.name.startswith("DepthwiseConv2d")]
    elif fault.file.startswith("total"):
        some = [p for p in all_programs() if p.name.startswith("AvgPool")]
    elif target == "mps3-an547":
        some = [*thinned(some, 12)]
    if target != "microbit":
        some += dots
    assert_caught(fault, seeded(fault, target, tmp_path, some))
