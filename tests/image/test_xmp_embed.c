/* XMP written into photos: three independent readers find it, pixels and everything else stay, and
 * the way back leads to the same bytes. */
#include "readers.h"

#include "image/dng_maker.h"
#include "image/embed.h"
#include "image/image.h"
#include "image/metadata.h"

enum { MOST = 1 << 22 };

static piaa_text sample(const char *name) {
    piaa_text out = {0};
    char *path = piaa_format(NULL, "%s/data/sample/photos/%s.jpg", PIAA_SOURCE, name);
    out.data = piaa_file_read(path, MOST, &out.length, NULL);
    assert_non_null(out.data);
    free(path);
    return out;
}

static void add(piaa_text *out, const void *bytes, size_t size) {
    assert_true(piaa_text_add(out, bytes, size, NULL));
}

/* A JPEG's segment. */
static void add_segment(piaa_text *out, int marker, const void *bytes, size_t size) {
    const unsigned char head[] = {0xff, (unsigned char)marker, (unsigned char)((size + 2) >> 8),
                                  (unsigned char)(size + 2)};
    add(out, head, 4);
    add(out, bytes, size);
}

static void add_packet(piaa_text *out, const char *label, int padding) {
    piaa_text content = {0};
    add(&content, "http://ns.adobe.com/xap/1.0/", 29);
    piaa_text_format(&content, NULL,
                     "<?xpacket begin=\"\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?><x:xmpmeta "
                     "xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "
                     "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description "
                     "rdf:about=\"\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" "
                     "xmp:Label=\"%s\"/></rdf:RDF></x:xmpmeta>%*s<?xpacket end=\"w\"?>",
                     label, padding, "");
    add_segment(out, 0xe1, content.data, content.length);
    free(content.data);
}

static piaa_text changed(const piaa_text *photo, const piaa_xmp_change *change) {
    piaa_patch patch = {0}, back = {0};
    piaa_text out = {0}, again = {0};
    piaa_error error = {0};
    if (!piaa_embed_change((const unsigned char *)photo->data, photo->length, change, &patch,
                           &error))
        fail_msg("%s", error.message);
    assert_true(piaa_patch_apply(&patch, photo->data, photo->length, &out, &error));
    assert_true(piaa_patch_reverse(&patch, photo->data, &back, &error));
    assert_true(piaa_patch_apply(&back, out.data, out.length, &again, &error));
    assert_int_equal(again.length, photo->length);
    assert_memory_equal(again.data, photo->data, photo->length);
    piaa_patch_free(&patch);
    piaa_patch_free(&back);
    free(again.data);
    return out;
}

static piaa_image decoded(const piaa_text *photo, piaa_xmp *xmp) {
    piaa_photo_file file;
    piaa_image image = {0};
    piaa_error error = {0};
    assert_true(piaa_photo_file_copy(&file, "photo", photo->data, photo->length, &error));
    if (!piaa_image_decode(&file, PIAA_EXIF_APPLY, PIAA_BACKGROUND_NONE, &image, &error) ||
        !piaa_photo_xmp(&file, xmp, &error))
        fail_msg("%s", error.message);
    piaa_photo_file_free(&file);
    return image;
}

/* Rates the photo and gives the new bytes; ending: of the file that the readers are shown. */
static piaa_text rated(const piaa_text *photo, int stars, const char *label, const char *ending) {
    const piaa_xmp_change change = {.rating = stars, .label = label, .score = 3.14159};
    piaa_text out = changed(photo, &change);
    piaa_xmp before, after;
    piaa_image was = decoded(photo, &before), is = decoded(&out, &after);
    assert_true(was.width == is.width && was.height == is.height);
    assert_memory_equal(was.rgb, is.rgb, (size_t)was.width * (size_t)was.height * 3);
    assert_true(after.rating == stars && after.score == 3.14);
    piaa_image_free(&was);
    piaa_image_free(&is);
    char *folder = support_folder(), *whole = piaa_path_absolute(folder, NULL),
         *name = piaa_format(NULL, "photo%s", ending), *path = support_join(whole, name),
         *word = piaa_format(NULL, "%d", stars);
    support_write(whole, name, out.data, out.length);
    expect_said(path, "xmp:Rating", word);
    free(word);
    free(path);
    free(name);
    free(whole);
    support_remove(folder);
    return out;
}

/* ----------------------------------------------------------------------------------------- JPEG */

static void a_jpeg_without_a_packet_gets_one_behind_jfif(void **state) {
    (void)state;
    piaa_text photo = sample("iaa_pub10_0183"), one = rated(&photo, 4, "Green", ".jpg");
    const size_t more = one.length - photo.length, behind = 20; /* SOI and an APP0 of 16 + 2 */
    assert_memory_equal(one.data, photo.data, behind);
    assert_memory_equal(one.data + behind + more, photo.data + behind, photo.length - behind);
    /* The next change fits into the padding: no byte moves. */
    piaa_text two = rated(&one, 5, "Something longer", ".jpg");
    assert_int_equal(two.length, one.length);
    assert_memory_equal(two.data + behind + more, photo.data + behind, photo.length - behind);
    free(two.data);
    free(one.data);
    free(photo.data);
}

/* A photo with a second picture behind it, of which MPF's list speaks; a packet follows the list or
   comes before it. */
static piaa_text with_pictures(bool packet, const piaa_text *second, size_t *block) {
    static const unsigned char exif[] = "Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0";
    piaa_text photo = sample("iaa_pub10_0183"), out = {0};
    unsigned char
        list[4 + 8 + 2 + 3 * 12 + 4 + 32] =
            {
                'M',  'P',  'F', 0, 'I', 'I', '*', 0, 8,   0,   0,   0, /* little-endian, directory
                                                                           at 8 */
                3,    0,                                                /* entries */
                0x00, 0xb0, 7,   0, 4,   0,   0,   0, '0', '1', '0', '0',  0x01,
                0xb0, 4,    0,   1, 0,   0,   0,   2, 0,   0,   0,   0x02, 0xb0,
                7,    0,    32,  0, 0,   0,   50,  0, 0,   0 /* two pictures, at 50 */
            };
    add(&out, photo.data, 20);
    add_segment(&out, 0xe1, exif, sizeof exif - 1);
    *block = out.length + 4 + 4;
    add_segment(&out, 0xe2, list, sizeof list);
    if (packet) add_packet(&out, "Red", 0);
    add(&out, photo.data + 20, photo.length - 20);
    const uint64_t numbers[] = {out.length, 0, 0, second->length, out.length - *block, 0};
    for (int k = 0; k < 2; k++)
        for (int n = 0; n < 2; n++)
            for (int i = 0; i < 4; i++)
                out.data[*block + 50 + (size_t)(16 * k + 4 + 4 * n + i)] =
                    (char)(numbers[3 * k + n] >> 8 * i);
    out.data[*block + 50 + 3] = 0x03; /* the first is a baseline primary picture */
    out.data[*block + 50 + 2] = 0x00;
    add(&out, second->data, second->length);
    free(photo.data);
    return out;
}

static uint64_t little(const char *bytes) {
    uint64_t value = 0;
    for (int i = 0; i < 4; i++) value |= (uint64_t)(unsigned char)bytes[i] << 8 * i;
    return value;
}

static void pictures_behind_a_photo_are_still_found(void **state) {
    (void)state;
    piaa_text second = sample("iaa_pub11_0202");
    for (int packet = 0; packet < 2; packet++) {
        size_t block;
        piaa_text photo = with_pictures(packet, &second, &block),
                  out = rated(&photo, 2, NULL, ".jpg");
        const size_t more = out.length - photo.length, moved = block + (packet ? 0 : more);
        assert_memory_equal(out.data + moved, "II*\0", 4);
        assert_int_equal(little(out.data + moved + 54), out.length - second.length);
        assert_int_equal(little(out.data + moved + 54 + 16), second.length);
        assert_int_equal(moved + little(out.data + moved + 58 + 16), out.length - second.length);
        char *folder = support_folder(), *path = support_join(folder, "photo.jpg"),
             *other = support_join(folder, "second.jpg"),
             *command = piaa_format(NULL,
                                    "command -v exiftool >/dev/null || exit 0; exiftool -b "
                                    "-MPImage2 '%s' | cmp - '%s'",
                                    path, other);
        support_write(folder, "photo.jpg", out.data, out.length);
        support_write(folder, "second.jpg", second.data, second.length);
        assert_int_equal(system(command), 0);
        free(command);
        free(other);
        free(path);
        support_remove(folder);
        free(out.data);
        free(photo.data);
    }
    free(second.data);
}

static void expect_refused(const piaa_text *photo, const char *part) {
    piaa_patch patch = {0};
    piaa_embedded packet;
    piaa_error error = {0};
    const piaa_xmp_change change = {.rating = 3, .score = NAN};
    const unsigned char *bytes = (const unsigned char *)photo->data;
    assert_false(piaa_embed_find(bytes, photo->length, &packet, &error));
    if (!strstr(error.message, part)) fail_msg("%s", error.message);
    assert_false(piaa_embed_change(bytes, photo->length, &change, &patch, NULL));
    assert_int_equal(patch.count, 0);
    piaa_patch_free(&patch);
}

static void jpegs_that_would_lose_something_are_refused(void **state) {
    (void)state;
    piaa_text photo = sample("iaa_pub10_0183");
    for (int kind = 0; kind < 5; kind++) {
        static const char *const parts[] = {"two XMP packets", "no packet speaks of",
                                            "no packet speaks of", "a rating too", "damaged"};
        static const char extended[] = "http://ns.adobe.com/xmp/extension/\0GUID";
        piaa_text out = {0};
        add(&out, photo.data, 20);
        if (kind != 1 && kind != 4) add_packet(&out, kind == 3 ? "HasExtendedXMP" : "Red", 10);
        if (kind == 0) add_packet(&out, "Red", 10);
        if (kind == 1 || kind == 2) add_segment(&out, 0xe1, extended, sizeof extended);
        if (kind == 3) {
            piaa_text content = {0};
            add(&content, extended, sizeof extended);
            add(&content, "xmp:Rating=\"1\"", 14);
            add_segment(&out, 0xe1, content.data, content.length);
            free(content.data);
        }
        if (kind < 4) add(&out, photo.data + 20, photo.length - 20);
        expect_refused(&out, parts[kind]);
        free(out.data);
    }
    const piaa_text png = {.data = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", .length = 16};
    expect_refused(&png, "only into JPEG, TIFF and DNG");
    free(photo.data);
}

/* ----------------------------------------------------------------------------------------- TIFF */

static piaa_text tiff(bool big_endian, bool wide, const char *packet) {
    static tiff_maker m;
    static const unsigned char pixels[4 * 4 * 3] = {200, 10, 30, 40, 50, 60, 70, 80, 90};
    const uint64_t eight[] = {8, 8, 8};
    tiff_begin(&m, big_endian, wide);
    const uint64_t strip = tiff_data(&m, pixels, sizeof pixels);
    uint64_t letters[1024];
    const size_t length = strlen(packet);
    for (size_t i = 0; i < length; i++) letters[i] = (unsigned char)packet[i];
    const tiff_entry entries[] = {{256, SHORT, 4, 0, NULL},
                                  {257, SHORT, 4, 0, NULL},
                                  {258, SHORT, 0, 3, eight},
                                  {259, SHORT, 1, 0, NULL},
                                  {262, SHORT, 2, 0, NULL},
                                  {273, LONG, strip, 0, NULL},
                                  {277, SHORT, 3, 0, NULL},
                                  {278, SHORT, 4, 0, NULL},
                                  {279, LONG, sizeof pixels, 0, NULL},
                                  {700, BYTE, 0, length, letters}};
    tiff_directory(&m, tiff_first(&m), entries, PIAA_COUNT(entries) - !length);
    piaa_text out = {0};
    add(&out, m.bytes, m.size);
    return out;
}

/* Bytes of the old file that are others in the new one. */
static size_t differing(const piaa_text *old, const piaa_text *new) {
    size_t count = 0;
    for (size_t i = 0; i < old->length; i++) count += old->data[i] != new->data[i];
    return count;
}

static void tiffs_grow_at_their_end(void **state) {
    (void)state;
    static const char bare[] =
        "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "
        "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description "
        "rdf:about=\"\"/></rdf:RDF></x:xmpmeta>";
    for (int way = 0; way < 8; way++) {
        const bool wide = way & 2;
        piaa_text photo = tiff(way & 1, wide, way & 4 ? bare : ""),
                  one = wide ? changed(&photo, &(piaa_xmp_change){.rating = 1, .score = NAN})
                             : rated(&photo, 1, "Blue", ".tif");
        /* Only what leads to the directory or to the packet, and its length. */
        assert_in_range(differing(&photo, &one), 1, 4);
        const piaa_xmp_change more = {.rating = 5, .label = "Longer than it was", .score = NAN};
        piaa_text two = changed(&one, &more);
        if (!(way & 4)) { /* its packet is padded now: nothing else changes */
            piaa_embedded packet;
            assert_int_equal(one.length, two.length);
            assert_true(
                piaa_embed_find((const unsigned char *)two.data, two.length, &packet, NULL));
            assert_memory_equal(one.data, two.data, packet.at);
            assert_memory_equal(one.data + packet.at + packet.size,
                                two.data + packet.at + packet.size,
                                one.length - packet.at - packet.size);
        }
        free(two.data);
        free(one.data);
        free(photo.data);
    }
}

static void dngs_are_written_and_other_raws_are_not(void **state) {
    (void)state;
    static tiff_maker m;
    make_dng(&m, &(dng){.orientation = 1});
    piaa_text photo = {0};
    add(&photo, m.bytes, m.size);
    piaa_text out = rated(&photo, 3, NULL, ".dng");
    free(out.data);
    /* The same without DNG's tags is some camera's own. */
    for (size_t i = 0; i + 4 <= photo.length; i++)
        if (memcmp(photo.data + i, "\x12\xc6\x01\0", 4) == 0) photo.data[i] = 0x13;
    expect_refused(&photo, "but DNG");
    free(photo.data);
}

static void damaged_tiffs_are_refused(void **state) {
    (void)state;
    piaa_text photo = tiff(false, false, "");
    for (size_t length = 8; length + 16 < photo.length; length += 7) { /* into the directory */
        const piaa_text cut = {.data = photo.data, .length = length};
        piaa_patch patch = {0};
        const piaa_xmp_change change = {.rating = 3, .score = NAN};
        assert_false(
            piaa_embed_change((const unsigned char *)cut.data, cut.length, &change, &patch, NULL));
        piaa_patch_free(&patch);
    }
    free(photo.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jpeg_without_a_packet_gets_one_behind_jfif),
        cmocka_unit_test(pictures_behind_a_photo_are_still_found),
        cmocka_unit_test(jpegs_that_would_lose_something_are_refused),
        cmocka_unit_test(tiffs_grow_at_their_end),
        cmocka_unit_test(dngs_are_written_and_other_raws_are_not),
        cmocka_unit_test(damaged_tiffs_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
