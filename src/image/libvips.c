/* libvips keeps its settings and its error text per process, whoever uses it: one thread per image
 * and no cache of operations suit a program whose other threads compute.  Its warnings are dropped,
 * and its error text is emptied after every failure. */
#include "image/libvips.h"

#include "image/jxl.h"
#include "image/metadata.h"
#include "image/tiff.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool started;

static void be_silent(const gchar *domain, GLogLevelFlags level, const gchar *message,
                      gpointer user) {
    PIAA_UNUSED(domain);
    PIAA_UNUSED(level);
    PIAA_UNUSED(message);
    PIAA_UNUSED(user);
}

static void block_readers(void) {
    static const char *const allowed[] = {"Jpeg", "Png", "Webp", "Tiff", "Nsgif",
                                          "Heif", "Jxl", "Jp2k", "Ppm"};
    char name[64];
    vips_operation_block_set("VipsForeignLoad", TRUE);
    for (size_t i = 0; i < PIAA_COUNT(allowed); i++) {
        g_snprintf(name, sizeof name, "VipsForeignLoad%sSource", allowed[i]);
        vips_operation_block_set(name, FALSE);
    }
}

static void start_vips(void) {
    started = VIPS_INIT("piaa") == 0;
    if (!started) return;
    vips_concurrency_set(1);
    vips_cache_set_max(0);
    block_readers();
    g_log_set_handler(
        "VIPS", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG,
        be_silent, NULL);
}

bool piaa_vips_start(piaa_error *error) {
    pthread_once(&once, start_vips);
    return started ||
           piaa_error_set(error, PIAA_UNSUPPORTED, "libvips could not be started: reinstall it");
}

bool piaa_vips_has(const char *operation) {
    return piaa_vips_start(NULL) && operation && vips_type_find("VipsOperation", operation) != 0;
}

/* What the system has against it, by the words that it has for that; 0: nothing. */
static int system_fault(const char *text) {
    static const int faults[] = {ENOMEM, EIO, EMFILE, ENFILE, ENOSPC, EDQUOT, EAGAIN};
    if (strstr(text, "vips_tracked: out of memory") || strstr(text, "Insufficient memory"))
        return ENOMEM;
    for (size_t i = 0; i < PIAA_COUNT(faults); i++)
        if (strstr(text, strerror(faults[i]))) return faults[i];
    return 0;
}

bool piaa_vips_failed(piaa_error *error, const char *path, const char *what, const char *advice) {
    char *text = vips_error_buffer_copy(), *line = text;
    int fault = system_fault(text);
    while (*line == '\n' || *line == ' ') line++;
    line[strcspn(line, "\n")] = '\0';
    if (fault == ENOMEM)
        piaa_error_set(error, PIAA_MEMORY, "%s: there is not enough memory to decode it", path);
    else if (fault)
        piaa_error_set_errno(error, fault, "%s: the system failed while it was decoded", path);
    else if (*line)
        piaa_error_set(error, PIAA_FORMAT, "%s %s (%s): %s", path, what, line, advice);
    else
        piaa_error_set(error, PIAA_FORMAT, "%s %s: %s", path, what, advice);
    g_free(text);
    return false;
}

/* Says of a TIFF file what libvips would not: that its samples are of a kind that is not read. */
static bool check_tiff(const piaa_photo_file *file, piaa_error *error) {
    static const char *const formats[] = {"",        "unsigned", "signed", "floating-point",
                                          "untyped", "complex",  "complex"};
    piaa_tiff t;
    if (!piaa_tiff_look(file->bytes, file->size, &t)) return true; /* libvips will say no */
    const char *advice = "which is not read: save it as JPEG, PNG, or TIFF with 8 or 16 bits";
    if (t.luma && t.subsampled)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s is a TIFF with subsampled colours and no JPEG compression, %s",
                              file->path, advice);
    if (t.photometric > 8)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s is a TIFF in colours of a rare kind (photometric %d), %s",
                              file->path, t.photometric, advice);
    bool few = t.bits < 8 && (t.bits & (t.bits - 1)) == 0 && t.samples == 1,
         whole = t.format <= PIAA_TIFF_SIGNED || t.format == PIAA_TIFF_VOID,
         read = whole ? few || t.bits == 8 || t.bits == 16 || t.bits == 32
                      : t.format == PIAA_TIFF_FLOAT && t.bits == 32;
    return read || piaa_error_set(error, PIAA_UNSUPPORTED, "%s is a TIFF of %d-bit %s samples, %s",
                                  file->path, t.bits, formats[t.format], advice);
}

/* The stored picture divided by `shrink` (1, 2, 4, 8) where the decoder can, as JPEG's does. */
static VipsImage *load(const piaa_photo_file *file, const char *loader, int shrink,
                       VipsFailOn fail_on) {
    VipsImage *image = NULL;
    VipsSource *source = vips_source_new_from_memory(file->bytes, file->size);
    if (!source) return NULL;
    piaa_tiff tiff;
    int failed = file->kind == PIAA_KIND_TIFF && piaa_tiff_look(file->bytes, file->size, &tiff)
                     ? vips_call(loader, source, &image, "access", VIPS_ACCESS_SEQUENTIAL,
                                 "fail_on", fail_on, "page", tiff.page, "subifd", tiff.subifd, NULL)
                     : vips_call(loader, source, &image, "access", VIPS_ACCESS_SEQUENTIAL,
                                 "fail_on", fail_on, shrink > 1 ? "shrink" : NULL, shrink, NULL);
    g_object_unref(source);
    return failed ? NULL : image;
}

VipsImage *piaa_vips_open(const piaa_photo_file *file, int shrink, VipsFailOn fail_on,
                          piaa_error *error) {
    if (!piaa_vips_start(error)) return NULL;
    const char *loader = piaa_kind_loader(file->kind);
    if (!piaa_vips_has(loader)) {
        piaa_error_set(error, PIAA_UNSUPPORTED,
                       "%s is in a format that this libvips does not read: export it as JPEG or "
                       "PNG",
                       file->path);
        return NULL;
    }
    if (file->kind == PIAA_KIND_TIFF && !check_tiff(file, error)) return NULL;
    if (file->kind == PIAA_KIND_JXL && piaa_jxl_is_animated(file->bytes, file->size)) {
        piaa_error_set(error, PIAA_UNSUPPORTED,
                       "%s is an animated JPEG XL picture, of which not the first frame would be "
                       "read but the last: save one as JPEG or PNG",
                       file->path);
        return NULL;
    }
    VipsImage *image = load(file, loader, file->kind == PIAA_KIND_JPEG ? shrink : 1, fail_on);
    if (!image)
        piaa_vips_failed(error, file->path, "cannot be decoded",
                         "copy it again from where it came from, or save it anew");
    else
        vips_image_set_int(image, VIPS_META_ORIENTATION, piaa_photo_orientation(file, image));
    return image;
}
