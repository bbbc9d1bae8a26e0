/* Tables of comparisons as people write them, and the line that a broken one gets. */
#include "data_support.h"

typedef struct said {
    char one, other; /* first letters of the photos' names */
    double win;
} said;

static piaa_choices *read_text(const char *folder, const char *text, size_t size,
                               const piaa_whose *whose, heard *h, piaa_error *error) {
    *h = (heard){0};
    *error = (piaa_error){0};
    support_write(folder, "pairs.csv", text, size);
    char *path = support_join(folder, "pairs.csv");
    piaa_choices *read =
        piaa_choices_read(path, whose, &(piaa_hooks){.user = h, .warn = hear}, error);
    free(path);
    return read;
}

static void expect(const char *text, size_t size, const said *want, size_t count,
                   const char *heard_part) {
    char *folder = support_folder();
    heard h;
    piaa_error error;
    piaa_choices *read = read_text(folder, text, size, NULL, &h, &error);
    if (!read) fail_msg("%s: %s", text, error.message);
    if (piaa_choices_count(read) != count)
        fail_msg("%s: %zu answers", text, piaa_choices_count(read));
    for (size_t i = 0; i < count; i++) {
        const piaa_choice *got = piaa_choices_at(read, i);
        if (*piaa_path_name(got->one) != want[i].one ||
            *piaa_path_name(got->other) != want[i].other || got->win != want[i].win ||
            got->one[0] != '/')
            fail_msg("%s: answer %zu is %s, %s, %g", text, i, got->one, got->other, got->win);
    }
    const char *all = h.all.data ? h.all.data : "";
    if (heard_part ? !strstr(all, heard_part) : h.lines > 0) fail_msg("%s: heard %s", text, all);
    piaa_choices_free(read);
    free(h.all.data);
    support_remove(folder);
}

#define EXPECT(text, part, ...)                                                                    \
    do {                                                                                           \
        const said want[] = {__VA_ARGS__};                                                         \
        expect(text, sizeof(text) - 1, want, PIAA_COUNT(want), part);                              \
    } while (0)

static void plain_tables(void **state) {
    PIAA_UNUSED(state);
    EXPECT("better,worse\na.jpg,b.jpg\nc.jpg,a.jpg\n", NULL, {'a', 'b', 1}, {'c', 'a', 1});
    EXPECT("left,right,answer\na.jpg,b.jpg,left\nc.jpg,a.jpg,right\nc.jpg,b.jpg,tie\n", NULL,
           {'a', 'b', 1}, {'c', 'a', 0}, {'c', 'b', 0.5});
    /* an answer beside better and worse says where it is no win */
    EXPECT("better,worse,answer\na.jpg,b.jpg,\nc.jpg,a.jpg,tie\nb.jpg,c.jpg,cannot say\n",
           "1 with \"cannot say\"", {'a', 'b', 1}, {'c', 'a', 0.5});
    /* asked again, answered otherwise: both are kept */
    EXPECT("better,worse\na.jpg,b.jpg\nb.jpg,a.jpg\na.jpg,b.jpg\n", NULL, {'a', 'b', 1},
           {'b', 'a', 1}, {'a', 'b', 1});
}

static void as_spreadsheets_save_them(void **state) {
    PIAA_UNUSED(state);
    EXPECT("\xef\xbb\xbf"
           "Better;Worse\r\na.jpg;b.jpg\r\n",
           "semicolons", {'a', 'b', 1});
    EXPECT("sep=\t\nBETTER\tWORSE\na.jpg\tb.jpg\n\n\t\n", "tabs", {'a', 'b', 1});
    EXPECT("\xff\xfe"
           "b\0e\0t\0t\0e\0r\0,\0w\0o\0r\0s\0e\0\n\0a\0.\0j\0,\0b\0.\0j\0",
           "UTF-16", {'a', 'b', 1});
    EXPECT("note,worse,better\nx,\"b, 1.jpg\", a.jpg \n", NULL, {'a', 'b', 1});
}

static void other_names_and_answers(void **state) {
    PIAA_UNUSED(state);
    EXPECT("winner,loser\na.jpg,b.jpg\n", "column \"winner\" as the better", {'a', 'b', 1});
    EXPECT("Photo 1,Photo 2,Choice\na.jpg,b.jpg,1\na.jpg,c.jpg,2\n", "as the left", {'a', 'b', 1},
           {'a', 'c', 0});
    EXPECT("image_a,image_b,winner\na.jpg,b.jpg,A\na.jpg,c.jpg,image_b\nb.jpg,c.jpg,=\n",
           "as the answer", {'a', 'b', 1}, {'a', 'c', 0}, {'b', 'c', 0.5});
    EXPECT("left,right,winner\nx/a.jpg,x/b.jpg,b.jpg\nx/a.jpg,x/c.jpg,x/a.jpg\n", "as the answer",
           {'a', 'b', 0}, {'a', 'c', 1});
    EXPECT("left,right,answer\na,b,LEFT\na,b,R\na,b,Can't say\na,b,>\na,b,equal\na,b,\na,b,0.5\n",
           "1 without an answer, 1 with \"cannot say\"", {'a', 'b', 1}, {'a', 'b', 0},
           {'a', 'b', 1}, {'a', 'b', 0.5}, {'a', 'b', 0.5});
    EXPECT("better,worse\na.jpg,b.jpg\na.jpg,./a.jpg\n", "with itself", {'a', 'b', 1});
}

static void bad_tables(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"a.jpg,b.jpg\nc.jpg,d.jpg\n", "better and worse"},
        {"1,2\n3,4\n", "has no header: put the line better,worse"},
        {"path,score\na.jpg,3\n", "columns that name two photos (it has path, score)"},
        {"left,right\na.jpg,b.jpg\n", "says which photo is better"},
        {"better\na.jpg\n", "two photos"},
        {"better,worse\na.jpg,\nb.jpg,c.jpg\n", "line 2: there is only one photo"},
        {"left,right,answer\na,b,perhaps\n", "the answer \"perhaps\" is not left, right, tie"},
        {"left,right,answer\na,b,0\na,b,1\n", "the answer \"0\" is not"},
        {"left,right,answer\na,b,-1\n", "the answer \"-1\" is not"},
        {"better,worse\na,b,c\n", "3 fields where the header has 2"},
        {"better,worse\n", "holds no comparisons"},
        {"left,right,answer\na,b,\nc,d,skip\n", "none of its 2 rows"},
        {"better,worse,winner,loser\na,b,c,d\n", "could be the"},
        {"user,better,worse\nann,a,b\nbob,b,a\n", "holds the answers of 2 people"},
        {"left,right,answer\na,b,x\nc,d,y\n", "2 of the 2 rows are at fault"},
        {"", ""},
    };
    char *folder = support_folder();
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        heard h;
        piaa_error error;
        piaa_choices *read = read_text(folder, bad[i].text, strlen(bad[i].text), NULL, &h, &error);
        if (read) fail_msg("%s is read", bad[i].text);
        if (!strstr(error.message, bad[i].message)) fail_msg("%s: %s", bad[i].text, error.message);
        assert_true(error.code == PIAA_FORMAT || error.code == PIAA_USAGE);
        free(h.all.data);
    }
    support_remove(folder);
}

static void one_person_is_picked(void **state) {
    PIAA_UNUSED(state);
    static const char text[] = "who,user,better,worse\nx,ann,a,b\ny,bob,b,a\nx,ann,c,a\n";
    char *folder = support_folder();
    heard h;
    piaa_error error;
    piaa_choices *read =
        read_text(folder, text, sizeof text - 1, &(piaa_whose){.user = "ann"}, &h, &error);
    assert_non_null(read);
    assert_int_equal(piaa_choices_count(read), 2);
    piaa_choices_free(read);
    free(h.all.data);
    assert_null(read_text(folder, text, sizeof text - 1, &(piaa_whose){.user = "eve"}, &h, &error));
    assert_non_null(strstr(error.message, "no answers of eve"));
    free(h.all.data);
    support_remove(folder);
}

/* By the rules of ratings: another case, another folder. */
static void photos_are_found(void **state) {
    PIAA_UNUSED(state);
    static const char text[] = "better,worse\nA.JPG,D:\\old\\b.jpg\n";
    char *folder = support_folder(), *a = support_join(folder, "a.jpg"),
         *b = support_join(folder, "elsewhere/b.jpg");
    heard h;
    piaa_error error;
    support_write(folder, "a.jpg", "x", 1);
    piaa_choices *read = read_text(folder, text, sizeof text - 1, NULL, &h, &error);
    assert_non_null(read);
    const char *const paths[] = {a, b};
    assert_true(
        piaa_choices_match(read, paths, NULL, 2, &(piaa_hooks){.user = &h, .warn = hear}, &error));
    assert_string_equal(piaa_path_name(piaa_choices_at(read, 0)->one), "a.jpg");
    assert_string_equal(piaa_choices_at(read, 0)->other, b);
    assert_non_null(strstr(h.all.data, "in other case"));
    assert_non_null(strstr(h.all.data, "in another folder"));
    piaa_choices_free(read);
    free(h.all.data);
    free(a);
    free(b);
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_tables),
        cmocka_unit_test(as_spreadsheets_save_them),
        cmocka_unit_test(other_names_and_answers),
        cmocka_unit_test(bad_tables),
        cmocka_unit_test(one_person_is_picked),
        cmocka_unit_test(photos_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
