/* DNG files for tests: a sensor whose four quarters are lit in known colours, with a thumbnail that
   is grey, or a preview. */
#ifndef PIAA_TESTS_IMAGE_DNG_MAKER_H
#define PIAA_TESTS_IMAGE_DNG_MAKER_H

#include "image/tiff_maker.h"

enum { DNG_WIDTH = 96, DNG_HEIGHT = 64, DNG_SENSOR = DNG_WIDTH * DNG_HEIGHT };

/* Red, green, blue and white light on the quarters, row by row. */
static const int dng_lights[4][3] = {
    {60000, 3000, 3000}, {3000, 60000, 3000}, {3000, 3000, 60000}, {60000, 60000, 60000}};

/* What channel `c` of 3, red to blue, sees at (x, y). */
static inline int dng_light_at(int x, int y, int c) {
    return dng_lights[(y >= DNG_HEIGHT / 2) * 2 + (x >= DNG_WIDTH / 2)][c];
}

/* The sensor's data: a Bayer pattern that begins with red, or all three channels. */
static inline uint64_t dng_sensor(tiff_maker *m, bool linear) {
    static uint16_t samples[DNG_SENSOR * 3];
    size_t count = 0;
    for (int y = 0; y < DNG_HEIGHT; y++)
        for (int x = 0; x < DNG_WIDTH; x++)
            for (int c = 0; c < (linear ? 3 : 1); c++)
                samples[count++] = (uint16_t)dng_light_at(x, y, linear ? c : (x & 1) + (y & 1));
    return tiff_data(m, samples, count * 2); /* in this machine's order, which is little */
}

typedef struct dng {
    bool linear;
    int orientation;
    const void *preview; /* a JPEG */
    size_t preview_size;
    int preview_width, preview_height;
} dng;

static inline void make_dng(tiff_maker *m, const dng *k) {
    tiff_begin(m, false, false);
    uint64_t one = tiff_rational(m, 1, 1), none = tiff_rational(m, 0, 1);
    uint64_t sensor = dng_sensor(m, k->linear), samples = k->linear ? 3 : 1;
    const uint64_t bits[] = {16, 16, 16}, two[] = {2, 2}, pattern[] = {0, 1, 1, 2},
                   version[] = {1, 4, 0, 0}, name[] = {'T', 'e', 's', 't', 0},
                   neutral[] = {one, one, one},
                   matrix[] = {one, none, none, none, one, none, none, none, one};
    const tiff_entry raw[] = {
        {254, LONG, 0, 0, NULL},          {256, LONG, DNG_WIDTH, 0, NULL},
        {257, LONG, DNG_HEIGHT, 0, NULL}, {258, SHORT, 0, samples, bits},
        {259, SHORT, 1, 0, NULL},         {262, SHORT, k->linear ? 34892 : 32803, 0, NULL},
        {273, LONG, sensor, 0, NULL},     {277, SHORT, samples, 0, NULL},
        {278, LONG, DNG_HEIGHT, 0, NULL}, {279, LONG, DNG_SENSOR * 2 * samples, 0, NULL},
        {284, SHORT, 1, 0, NULL},         {33421, SHORT, 0, 2, two},
        {33422, BYTE, 0, 4, pattern},     {50714, SHORT, 0, 0, NULL},
        {50717, LONG, 65535, 0, NULL},
    };
    uint64_t below[] = {(m->size + 1) & ~(size_t)1};
    tiff_directory(m, 0, raw, sizeof raw / sizeof *raw);
    static const unsigned char grey[4 * 4 * 3] = {128};
    uint64_t shown =
        k->preview ? tiff_data(m, k->preview, k->preview_size) : tiff_data(m, grey, sizeof grey);
    const uint64_t eight[] = {8, 8, 8};
    const tiff_entry first[] = {
        {254, LONG, 1, 0, NULL},
        {256, LONG, k->preview ? (uint64_t)k->preview_width : 4, 0, NULL},
        {257, LONG, k->preview ? (uint64_t)k->preview_height : 4, 0, NULL},
        {258, SHORT, 0, 3, eight},
        {259, SHORT, k->preview ? 7 : 1, 0, NULL},
        {262, SHORT, k->preview ? 6 : 2, 0, NULL},
        {271, ASCII, 0, 5, name},
        {272, ASCII, 0, 5, name},
        {273, LONG, shown, 0, NULL},
        {274, SHORT, (uint64_t)k->orientation, 0, NULL},
        {277, SHORT, 3, 0, NULL},
        {278, LONG, k->preview ? (uint64_t)k->preview_height : 4, 0, NULL},
        {279, LONG, k->preview ? k->preview_size : sizeof grey, 0, NULL},
        {330, LONG, below[0], 1, below},
        {50706, BYTE, 0, 4, version},
        {50708, ASCII, 0, 5, name},
        {50721, SRATIONAL, 0, 9, matrix},
        {50728, RATIONAL, 0, 3, neutral},
        {50778, SHORT, 21, 0, NULL},
    };
    tiff_directory(m, tiff_first(m), first, sizeof first / sizeof *first);
}

#endif
