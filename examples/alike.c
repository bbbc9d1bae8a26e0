/* Reads the vectors of a store: for every photo of a folder the one that is most like it.
 *
 *     alike PHOTOS STORE [MODEL]
 *
 * What the model makes of a photo is the mean over the image's tokens here, at the default layer.
 * STORE holds it as a matrix that NumPy opens, too.
 *
 *     cc alike.c $(pkg-config --cflags --libs piaa) -lm -o alike
 */
#include <math.h>
#include <piaa.h>
#include <stdio.h>

static double cosine(const float *a, const float *b, int dim) {
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < dim; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

static void print_nearest(const piaa_store *store, piaa_photo photo) {
    const int slot = 0; /* a store made for one pool and one layer has one matrix */
    const float *own = piaa_store_vector(store, slot, photo.row, NULL);
    piaa_photo nearest = {0};
    double most = -2;
    for (size_t i = 0; own && i < piaa_store_photos(store); i++) {
        const piaa_photo other = piaa_store_photo(store, i);
        const float *vector =
            piaa_store_vector(store, slot, other.row, NULL); /* NULL: unreadable */
        if (!vector || other.row == photo.row) continue;     /* byte for byte the same photo */
        double likeness = cosine(own, vector, piaa_store_slots(store)->items[slot].dim);
        if (likeness > most) most = likeness, nearest = other;
    }
    if (nearest.path) printf("%.4f  %s  %s\n", most, photo.path, nearest.path);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fputs("usage: alike PHOTOS STORE [MODEL]\n", stderr);
        return 2;
    }
    const char *photos[] = {argv[1]};
    piaa_error error = {0};
    piaa_model *model = piaa_model_open(argv[3], &error);
    const piaa_request request = {.pools = "lv"};
    piaa_extractor *extractor = piaa_extractor_new(model, &request, &error);
    piaa_store *store = piaa_embed(argv[2], extractor, photos, 1, NULL, NULL, &error);

    for (size_t i = 0; store && i < piaa_store_photos(store); i++)
        print_nearest(store, piaa_store_photo(store, i));
    if (error.code) fprintf(stderr, "%s\n", error.message);
    piaa_store_close(store);
    piaa_extractor_free(extractor);
    piaa_model_close(model);
    return error.code ? 1 : 0;
}
