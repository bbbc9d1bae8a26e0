/* Plain arrays through the public interface alone: a taste from vectors, vectors from pixels.  Ends
 * with 0 if all went as it should; else says what did not. */
#include <piaa.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s is false: %s\n", __LINE__, #condition, error.message);    \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

#if PIAA_VERSION_NUM < 200 || PIAA_VERSION_NUM >= 1000000
#error "PIAA_VERSION_NUM is not what a preprocessor can compare"
#endif

static bool near(double a, double b) {
    return fabs(a - b) <= 1e-12 * fabs(b);
}

/* One feature, six photos.  x has mean 3.5 and variance s^2 = 35/12, y has mean 3, and the sum of
 * (x - 3.5)(y - 3) is 5 + 1.5 + 0.25 + 0.5 + 0.75 + 5 = 13.  Of z = (x - 3.5) / s the ridge's
 * coefficient is 13 / s / (6 + alpha), and per unit of x that over s. */
static int fit(const char *folder) {
    static const float x[] = {1, 2, 3, 4, 5, 6}, more[] = {3.5F, 10};
    static const double y[] = {1, 2, 2.5, 4, 3.5, 5};
    piaa_error error = {0};
    piaa_taste *taste = piaa_taste_fit(x, y, 6, 1, NULL, &error);
    CHECK(taste && taste->ratings == 6 && taste->slot.dim == 1);
    CHECK(near(taste->mean[0], 3.5) && near(taste->scale[0] * taste->scale[0], 35.0 / 12));
    const double slope = 13 / (35.0 / 12) / (6 + taste->alpha);
    CHECK(near(taste->weights[0], slope) && near(taste->intercept, 3));
    double out[2];
    piaa_taste_predict(taste, more, 2, out);
    CHECK(near(out[0], 3) && near(out[1], 3 + 6.5 * slope));

    char path[200];
    snprintf(path, sizeof path, "%s/taste.json", folder);
    CHECK(piaa_taste_save(taste, path, &error));
    piaa_taste_free(taste);
    double again[2];
    CHECK(taste = piaa_taste_load(path, &error));
    piaa_taste_predict(taste, more, 2, again);
    CHECK(out[0] == again[0] && out[1] == again[1]); /* to the last bit */
    piaa_taste_free(taste);

    CHECK(!piaa_taste_fit(x, y, 1, 1, NULL, &error) && error.code == PIAA_USAGE);
    CHECK(!piaa_taste_fit(x, y, 6, 1, NULL, &error)); /* the first error stays */
    error = (piaa_error){0};
    CHECK(!piaa_taste_fit(x, y, 6, 0, NULL, &error) && error.code == PIAA_USAGE);
    error = (piaa_error){0};
    CHECK(!piaa_taste_fit(NULL, y, 6, 1, NULL, &error) && error.code == PIAA_USAGE);
    error = (piaa_error){0};
    CHECK(!piaa_taste_fit((float[]){1, NAN}, y, 2, 1, NULL, &error) && error.code == PIAA_FORMAT);
    piaa_taste_predict(NULL, x, 2, out);
    CHECK(isnan(out[0]) && isnan(out[1]));
    return 0;
}

/* Comparisons alone order what they compare, and say so of photos that were not; with stars they
 * leave the scale of these.  What cannot be learned from is refused. */
static int compared(void) {
    static const float x[] = {1, 2, 3, 4, 5, 6};
    static const double y[] = {1, NAN, NAN, NAN, NAN, 5};
    static const piaa_duel duels[] = {{1, 0, 1, 0}, {2, 1, 2, 0}, {3, 1, 1, 0}, {4, 3, 1, 0}};
    piaa_error error = {0};
    double out[6];
    piaa_taste *taste = piaa_taste_fit_said(x, NULL, 6, 1, duels, 4, NULL, NULL, &error);
    CHECK(taste && taste->ratings == 0 && taste->pairs == 5);
    piaa_taste_predict(taste, x, 6, out);
    for (int i = 1; i < 6; i++) CHECK(out[i] > out[i - 1]);
    piaa_taste_free(taste);
    CHECK(taste = piaa_taste_fit_said(x, y, 6, 1, duels, 4, NULL, NULL, &error));
    CHECK(taste->ratings == 2 && taste->lowest == 1 && taste->highest == 5);
    piaa_taste_free(taste);

    static const piaa_duel itself = {2, 2, 1, 0}, beyond = {0, 6, 1, 0};
    CHECK(!piaa_taste_fit_said(x, NULL, 6, 1, &itself, 1, NULL, NULL, &error) && error.code);
    error = (piaa_error){0};
    CHECK(!piaa_taste_fit_said(x, NULL, 6, 1, &beyond, 1, NULL, NULL, &error) && error.code);
    error = (piaa_error){0};
    const piaa_learning how = {.learner = "none of this name"};
    CHECK(!piaa_taste_fit_said(x, y, 6, 1, duels, 4, &how, NULL, &error) &&
          error.code == PIAA_USAGE);
    return 0;
}

enum { WIDTH = 70, HEIGHT = 50, STRIDE = WIDTH * 3 + 13 };

/* The same pixels as a file in which anyone can see that they are: netpbm's P6. */
static bool write_ppm(const char *path, const uint8_t *rgb) {
    FILE *file = fopen(path, "wb");
    if (!file) return false;
    fprintf(file, "P6\n%d %d\n255\n", WIDTH, HEIGHT);
    for (size_t row = 0; row < HEIGHT; row++) fwrite(rgb + row * STRIDE, 3, WIDTH, file);
    return fclose(file) == 0;
}

/* A file's content in memory is the file. */
static int content(piaa_extractor *extractor, const char *path, const float *want, float *got) {
    piaa_error error = {0};
    static uint8_t bytes[WIDTH * HEIGHT * 3 + 100];
    FILE *file = fopen(path, "rb");
    const size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file) fclose(file);
    CHECK(piaa_extractor_read_bytes(extractor, bytes, size, got, &error));
    CHECK(memcmp(want, got, piaa_extractor_values(extractor) * sizeof *got) == 0);
    CHECK(!piaa_extractor_read_bytes(extractor, bytes, 0, got, &error) &&
          error.code == PIAA_FORMAT);
    error = (piaa_error){0};
    CHECK(!piaa_extractor_read_bytes(extractor, "no photo", 8, got, &error) &&
          error.code == PIAA_FORMAT);
    error = (piaa_error){0};
    CHECK(!piaa_extractor_read_bytes(extractor, NULL, 8, got, &error) && error.code);
    return 0;
}

static int compare(piaa_extractor *extractor, const char *path, const uint8_t *padded, float *a,
                   float *b) {
    piaa_error error = {0};
    const size_t bytes = piaa_extractor_values(extractor) * sizeof *a;
    static uint8_t packed[WIDTH * HEIGHT * 3];
    for (size_t row = 0; row < HEIGHT; row++)
        memcpy(packed + row * WIDTH * 3, padded + row * STRIDE, (size_t)WIDTH * 3);
    CHECK(piaa_extractor_read(extractor, path, a, &error));
    CHECK(piaa_extractor_read_pixels(extractor, padded, WIDTH, HEIGHT, STRIDE, b, &error));
    CHECK(memcmp(a, b, bytes) == 0);
    memset(b, 0, bytes);
    CHECK(piaa_extractor_read_pixels(extractor, packed, WIDTH, HEIGHT, 0, b, &error));
    CHECK(memcmp(a, b, bytes) == 0);

    const struct {
        int width, height;
        size_t stride;
    } wrong[] = {{0, 1, 0}, {1, 0, 0}, {-1, 1, 0}, {70, 50, 70}, {70, 50, 209}, {40000, 40000, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        error = (piaa_error){0};
        CHECK(!piaa_extractor_read_pixels(extractor, packed, wrong[i].width, wrong[i].height,
                                          wrong[i].stride, b, &error) &&
              error.code == PIAA_USAGE);
    }
    CHECK(!piaa_extractor_read_pixels(extractor, packed, WIDTH, HEIGHT, 0, b, &error)); /* stays */
    error = (piaa_error){0};
    CHECK(!piaa_extractor_read_pixels(extractor, NULL, WIDTH, HEIGHT, 0, b, &error));
    error = (piaa_error){0};
    CHECK(!piaa_extractor_read_pixels(NULL, packed, WIDTH, HEIGHT, 0, b, &error));
    return 0;
}

static int pixels(const char *folder) {
    static uint8_t rgb[STRIDE * HEIGHT];
    for (size_t i = 0; i < sizeof rgb; i++) rgb[i] = (uint8_t)(i * i / 97 + i % STRIDE);
    char path[200];
    snprintf(path, sizeof path, "%s/photo.ppm", folder);
    piaa_error error = {0};
    CHECK(write_ppm(path, rgb));
    piaa_model *model = piaa_model_open(NULL, &error);
    const piaa_request request = {.pools = "lt,lv,v", .threads = 1};
    piaa_extractor *extractor = piaa_extractor_new(model, &request, &error);
    CHECK(extractor);
    float *a = calloc(piaa_extractor_values(extractor), sizeof *a);
    float *b = calloc(piaa_extractor_values(extractor), sizeof *b);
    int failed = !a || !b || compare(extractor, path, rgb, a, b) || content(extractor, path, a, b);
    free(a);
    free(b);
    piaa_extractor_free(extractor);
    piaa_model_close(model);
    return failed;
}

int main(void) {
    char folder[] = "/tmp/piaa-api.XXXXXX", command[64];
    if (!mkdtemp(folder)) return 1;
    int failed = fit(folder) | compared() | pixels(folder);
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command) != 0 || failed;
}
