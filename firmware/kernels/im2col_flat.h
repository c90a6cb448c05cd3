/* im2col_flat.h - im2col from a flat image: the rows of lanes that a row of y sees are made one after the other.
 *
 * The programs are those of im2col.h. In place of x in lanes there is a window in scratch: planes of `window.rows` rows
 * with their pad columns. Where it is for row r of y, its word (i, j) has in lane l the pixel (l * x_rows + r * stride -
 * top + i, j) of x wherever that is inside the image, and its pad_value elsewhere. From a row to the next, rows that both
 * see are moved.
 */
#ifndef MCUGEN_IM2COL_FLAT_H
#define MCUGEN_IM2COL_FLAT_H

#include "im2col.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_im2col_flat {
    mcugen_im2col_fn row; /* by kind and number of groups */
    const uint32_t *weights;
    const uint16_t *taps;
    uint16_t rows; /* of lanes of bytes of y */
    uint16_t groups;
    uint16_t x_rows;   /* of x in a lane */
    uint16_t gathered; /* words of scratch that the row function takes */
    uint8_t top;       /* rows of x above it that y's first row sees */
    uint8_t x_at;      /* words from the start of the window to what the first word's taps count from */
    uint8_t stride;    /* of rows */
    uint8_t step;      /* words of the window between neighbouring words of y */
    uint8_t lo;
    uint8_t hi;
    struct mcugen_lanes window; /* without halos; lanes end in the middle of the image, whose height it has */
    struct mcugen_lanes out;
};

/* A layer. x: flat, any alignment; y: out.channels planes in lanes, sealed here; scratch: what is gathered, then
 * window.channels planes. */
void mcugen1_im2col_flat_ref(const struct mcugen_im2col_flat *k, const void *x, void *y, void *scratch);

static inline void mcugen1_im2col_flat(const struct mcugen_im2col_flat *k, const void *x, void *y, void *scratch)
{
    mcugen1_im2col_flat_ref(k, x, y, scratch);
}

/* The window of a row of y; of the first, or else of that behind the one it is for. */
void mcugen1_im2col_look(const struct mcugen_im2col_flat *k, const uint8_t *x, uint32_t *window, uint32_t row);

/* What the row function takes, but for where y is. */
static inline void mcugen_im2col_begin(const struct mcugen_im2col_flat *k, uint32_t *scratch,
                                       struct mcugen_im2col_job *job)
{
    job->x = (const uint8_t *)&scratch[(uint32_t)k->gathered + k->x_at];
    job->x_step = 4u * k->step;
    job->taps = k->taps;
    job->gathered = scratch;
    job->program = k->weights;
    job->groups = k->groups;
    job->x_row = 0; /* these are for blocks of rows */
    job->y_row = 0;
    job->rows = 1;
    job->channels = k->out.channels;
}

#ifdef __cplusplus
}
#endif

#endif
