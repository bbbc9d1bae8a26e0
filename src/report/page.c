/* A report's files: the page, the LaTeX tables, the figures. */
#include "report/page.h"

#include "base/file.h"
#include "base/hooks.h"
#include "report/gnuplot.h"
#include "report/together.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char ending[] = ".html";

const piaa_output_kind piaa_page_kind = {"a report", "content=\"piaa report\""};
static const piaa_output_kind latex_tables = {"a report's tables", "% Made by piaa report."};

/* "x.html": x + suffix. */
static char *beside(const char *path, const char *suffix, piaa_error *error) {
    return piaa_format(error, "%.*s%s", (int)(strlen(path) - (sizeof ending - 1)), path, suffix);
}

/* Figures go into a folder that holds nothing else, or stands beside its page. */
static bool check_figures(const char *path, const char *folder, piaa_error *error) {
    DIR *list = piaa_file_exists(path) ? NULL : opendir(folder);
    bool own = list || !piaa_file_exists(folder) || piaa_file_is_folder(folder);
    for (struct dirent *entry; list && (entry = readdir(list));)
        own = own && (entry->d_name[0] == '.' || piaa_path_ends(entry->d_name, ".svg") ||
                      piaa_path_ends(entry->d_name, ".csv"));
    if (list) closedir(list);
    if (own) return true;
    return piaa_error_set(error, PIAA_USAGE,
                          "%.700s, where the figures would go, holds other things: name another "
                          "file for the report",
                          folder);
}

bool piaa_page_check(const char *path, piaa_error *error) {
    if (!piaa_path_ends(path, ending) || strlen(path) == sizeof ending - 1)
        return piaa_error_set(error, PIAA_USAGE,
                              "%.700s does not end in .html: reports are HTML pages", path);
    char *figures = beside(path, "-figures", error), *tables = beside(path, ".tex", error);
    bool ok = figures && tables && piaa_output_check(path, &piaa_page_kind, error) &&
              piaa_output_check(tables, &latex_tables, error) &&
              check_figures(path, figures, error);
    free(figures);
    free(tables);
    return ok;
}

static bool write_in(const char *folder, const char *name, const char *suffix,
                     const piaa_text *text, piaa_error *error) {
    char *path = piaa_format(error, "%s/%s%s", folder, name, suffix);
    bool ok = path && piaa_file_write(path, text->data ? text->data : "", text->length, error);
    free(path);
    return ok;
}

static bool make_part(piaa_page_part *part, const char *folder, size_t number, piaa_error *error) {
    return (part->run = piaa_run_open(folder, error)) &&
           piaa_tables_make(&part->tables, part->run, error) &&
           piaa_plots_make(&part->plots, part->run, number, error);
}

/* What gnuplot cannot draw costs its figure, not the page. */
static bool draw(piaa_plot *plot, const piaa_hooks *hooks, piaa_error *error) {
    piaa_error own = {0};
    if (piaa_plot_draw(plot, &own)) return true;
    if (own.code != PIAA_FORMAT) return piaa_error_set(error, own.code, "%s", own.message);
    plot->page.length = plot->own.length = 0;
    char *words = plot->caption;
    plot->caption = piaa_format(error, "%s It could not be drawn.", words);
    free(words);
    if (!plot->caption) return false;
    piaa_hooks_warn(hooks, "%.700s, %.80s: the report has its data alone", own.message, plot->name);
    return true;
}

static bool draw_and_write(piaa_plots *plots, const char *folder, bool drawn,
                           const piaa_hooks *hooks, piaa_error *error) {
    for (size_t i = 0; i < plots->count; i++) {
        piaa_plot *plot = &plots->items[i];
        if (hooks && hooks->progress)
            hooks->progress(hooks->user, "drawing figures", (int64_t)i, (int64_t)plots->count);
        if ((drawn && !draw(plot, hooks, error)) ||
            (plot->own.length && !write_in(folder, plot->name, ".svg", &plot->own, error)) ||
            !write_in(folder, plot->name, ".csv", &plot->csv, error))
            return false;
    }
    return true;
}

static bool write_files(piaa_page_part *parts, size_t count, const char *path, const char *folder,
                        const char *tables, bool drawn, const piaa_hooks *hooks,
                        piaa_error *error) {
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return piaa_error_set_errno(error, errno, "cannot make the folder %.700s", folder);
    for (size_t i = 0; i < count; i++)
        if (!draw_and_write(&parts[i].plots, folder, drawn, hooks, error)) return false;
    piaa_text page = {0}, latex = {0};
    piaa_tables together = {0};
    bool ok =
        piaa_together_make(&together, parts, count, error) &&
        piaa_page_html(parts, count, &together, piaa_path_name(folder), drawn, &page, error) &&
        piaa_page_latex(parts, count, &together, &latex, error) &&
        piaa_output_write(tables, &latex_tables, latex.data, latex.length, error) &&
        piaa_output_write(path, &piaa_page_kind, page.data, page.length, error);
    piaa_tables_free(&together);
    free(page.data);
    free(latex.data);
    return ok;
}

bool piaa_page_write(const char *const *folders, size_t count, const char *path,
                     const piaa_hooks *hooks, piaa_error *error) {
    if (!piaa_page_check(path, error)) return false;
    piaa_page_part *parts = piaa_alloc(count, sizeof *parts, error);
    char *figures = beside(path, "-figures", error), *tables = beside(path, ".tex", error);
    bool ok = parts && figures && tables, drawn = piaa_gnuplot_found();
    for (size_t i = 0; ok && i < count; i++) ok = make_part(&parts[i], folders[i], i + 1, error);
    if (ok && !drawn)
        piaa_hooks_warn(hooks, "gnuplot is not there: the report has no figures, only their data "
                               "(Debian: gnuplot-nox)");
    ok = ok && write_files(parts, count, path, figures, tables, drawn, hooks, error);
    for (size_t i = 0; parts && i < count; i++) {
        piaa_plots_free(&parts[i].plots);
        piaa_tables_free(&parts[i].tables);
        piaa_run_close(parts[i].run);
    }
    free(parts);
    free(figures);
    free(tables);
    return ok;
}
