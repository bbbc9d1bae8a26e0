/* Reads pictures that are in memory, not in files: the quarters of a picture against the whole.
 *
 *     pixels [MODEL]
 *
 * A part of a picture needs no copy: it begins somewhere inside, and its rows are as far apart as
 * the whole picture's.  Frames of a video or a photo that another library decoded go the same way.
 *
 *     cc pixels.c $(pkg-config --cflags --libs piaa) -lm -o pixels
 */
#include <math.h>
#include <piaa.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 320, HEIGHT = 240, STRIDE = WIDTH * 3 };

/* A sun in the upper left over a sea. */
static void draw(uint8_t *rgb) {
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            uint8_t *pixel = rgb + y * STRIDE + x * 3;
            const bool sun = hypot(x - 90, y - 70)<35, sea = y> 150;
            pixel[0] = (uint8_t)(sun ? 255 : sea ? 20 : 120 + y / 2);
            pixel[1] = (uint8_t)(sun ? 220 : sea ? 60 + (x + 3 * y) % 24 : 150);
            pixel[2] = (uint8_t)(sun ? 120 : sea ? 120 : 220 - y / 2);
        }
}

static double distance(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += pow((double)a[i] - b[i], 2);
    return sqrt(sum);
}

int main(int argc, char **argv) {
    static uint8_t rgb[HEIGHT * STRIDE];
    draw(rgb);
    piaa_error error = {0};
    piaa_model *model = piaa_model_open(argc > 1 ? argv[1] : NULL, &error);
    piaa_extractor *extractor = piaa_extractor_new(model, NULL, &error);
    const size_t n = error.code ? 0 : piaa_extractor_values(extractor);
    float *whole = calloc(n + 1, sizeof *whole), *part = calloc(n + 1, sizeof *part);

    if (whole && part && n) {
        piaa_extractor_read_pixels(extractor, rgb, WIDTH, HEIGHT, STRIDE, whole, &error);
        for (int quarter = 0; quarter < 4 && !error.code; quarter++) {
            const int top = quarter / 2 * (HEIGHT / 2), left = quarter % 2 * (WIDTH / 2);
            if (piaa_extractor_read_pixels(extractor, rgb + top * STRIDE + left * 3, WIDTH / 2,
                                           HEIGHT / 2, STRIDE, part, &error))
                printf("%.4f  from the whole: %s %s\n", distance(whole, part, n),
                       top ? "lower" : "upper", left ? "right" : "left");
        }
    }
    if (error.code) fprintf(stderr, "%s\n", error.message);
    free(part), free(whole);
    piaa_extractor_free(extractor);
    piaa_model_close(model);
    return error.code ? 1 : 0;
}
