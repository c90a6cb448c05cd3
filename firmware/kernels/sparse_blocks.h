/* sparse_blocks.h - the two codes of blocks of three weights (docs/FORMAT.md, "blocks"), for C and assembler.
 *
 * An entry for each value of the next 5 bits, of the first code and then of the second: 8 times the bits of the code
 * that they begin with, plus its block, of whose weights the first is bit 0.
 */
#ifndef MCUGEN_SPARSE_BLOCKS_H
#define MCUGEN_SPARSE_BLOCKS_H

#define MCUGEN_BLOCKS_FIRST \
    8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 25, 25, 25, 25, 26, 26, 26, 26, 28, 28, 28, 28, 43, 45, 46, 47
#define MCUGEN_BLOCKS_SECOND                                                                                        \
    16, 16, 16, 16, 16, 16, 16, 16, 25, 25, 25, 25, 26, 26, 26, 26, 27, 27, 27, 27, 28, 28, 28, 28, 29, 29, 29, 29, \
        38, 38, 39, 39

#endif
