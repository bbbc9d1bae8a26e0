/* Golden images for the tests of this room: what Pillow and torchvision computed, from
   tests/golden/preprocess.safetensors. */
#ifndef PIAA_TESTS_GOLDEN_IMAGE_H
#define PIAA_TESTS_GOLDEN_IMAGE_H

#include "image/image.h"
#include "weights/safetensors.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const golden_names[] = {
    "astronaut.png",    "astronaut_rgba.png",  "cat.jpg",
    "cat_cmyk.jpg",     "cat_gray.png",        "coffee_420.jpg",
    "coffee_exif6.jpg", "coffee_palette.png",  "coffee_tiny.png",
    "rocket.webp",      "rocket_panorama.jpg", "rocket_progressive.jpg",
};

/* "NAME|rgb" or "NAME|bicubic|64x96" as an image whose pixels belong to the file. */
static inline piaa_image golden_image(const piaa_safetensors *golden, const char *name,
                                      const char *what) {
    char key[128];
    snprintf(key, sizeof key, "%s|%s", name, what);
    const piaa_tensor *tensor = piaa_safetensors_find(golden, key);
    if (!tensor || tensor->dimensions != 3 || tensor->shape[2] != 3) {
        fprintf(stderr, "golden file lacks %s\n", key);
        abort();
    }
    return (piaa_image){.width = (int)tensor->shape[1],
                        .height = (int)tensor->shape[0],
                        .rgb = (uint8_t *)(uintptr_t)tensor->data};
}

/* How two images of one size differ. */
typedef struct difference {
    int largest;
    double mean, equal; /* levels; fraction of the values */
} difference;

static inline difference compare_images(const piaa_image *a, const piaa_image *b) {
    difference d = {0};
    size_t n = (size_t)a->width * (size_t)a->height * 3, same = 0;
    for (size_t i = 0; i < n; i++) {
        int levels = abs(a->rgb[i] - b->rgb[i]);
        if (levels > d.largest) d.largest = levels;
        d.mean += levels;
        same += levels == 0;
    }
    d.mean /= (double)n;
    d.equal = (double)same / (double)n;
    return d;
}

#endif
