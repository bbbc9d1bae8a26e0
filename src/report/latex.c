/* The tables as LaTeX, for \input after \usepackage{booktabs}. */
#include "base/utf8.h"
#include "report/page.h"

#include <stdlib.h>
#include <string.h>

static void put(piaa_text *out, const char *text, piaa_error *error) {
    piaa_text_add(out, text, strlen(text), error);
}

/* What LaTeX reads as commands is written as text; a minus is one. */
static void escape(piaa_text *out, const char *text, piaa_error *error) {
    static const struct {
        const char *from, *to;
    } words[] = {{"\\", "\\textbackslash{}"},
                 {"²", "$^2$"},
                 {"&", "\\&"},
                 {"%", "\\%"},
                 {"$", "\\$"},
                 {"#", "\\#"},
                 {"_", "\\_"},
                 {"{", "\\{"},
                 {"}", "\\}"},
                 {"~", "\\textasciitilde{}"},
                 {"^", "\\textasciicircum{}"},
                 {"<", "$<$"},
                 {">", "$>$"}};
    piaa_text whole = {0};
    if (!piaa_utf8_repair(text, strlen(text), &whole, error)) out->failed = true;
    for (const char *at = whole.data; !out->failed && at && *at;) {
        size_t k = 0;
        while (k < PIAA_COUNT(words) && strncmp(at, words[k].from, strlen(words[k].from)) != 0) k++;
        if (k < PIAA_COUNT(words)) {
            put(out, words[k].to, error);
            at += strlen(words[k].from);
        } else if (*at == '-' && at[1] >= '0' && at[1] <= '9' &&
                   (at == whole.data || strchr(" [(", at[-1]))) {
            put(out, "$-$", error);
            at++;
        } else {
            piaa_text_add(out, (unsigned char)*at < ' ' ? " " : at, 1, error);
            at++;
        }
    }
    free(whole.data);
}

static void write_table(const piaa_table *table, const char *title, piaa_text *out,
                        piaa_error *error) {
    put(out, "\\begin{table}\n\\centering\n\\caption{", error);
    escape(out, title, error);
    put(out, ". ", error);
    escape(out, table->title, error);
    put(out, ". ", error);
    escape(out, table->note, error);
    put(out, "}\n\\begin{tabular}{l", error);
    for (size_t c = 1; c < table->columns; c++) put(out, "r", error);
    put(out, "}\n\\toprule\n", error);
    for (size_t row = 0; row <= table->rows; row++) {
        for (size_t c = 0; c < table->columns; c++) {
            const char *cell = table->cells[row * table->columns + c];
            if (c) put(out, " & ", error);
            escape(out, cell ? cell : "", error);
        }
        put(out, " \\\\\n", error);
        if (!row) put(out, "\\midrule\n", error);
    }
    put(out, "\\bottomrule\n\\end{tabular}\n\\end{table}\n\n", error);
}

bool piaa_page_latex(const piaa_page_part *parts, size_t count, const piaa_tables *together,
                     piaa_text *out, piaa_error *error) {
    put(out, "% Made by piaa report.  Needs \\usepackage{booktabs}.\n\n", error);
    for (size_t t = 0; t < together->count; t++)
        write_table(&together->items[t], "Personal protocol", out, error);
    for (size_t i = 0; i < count; i++) {
        char title[160];
        if (!piaa_page_title(parts[i].run, title, error)) return false;
        for (size_t t = 0; t < parts[i].tables.count; t++)
            write_table(&parts[i].tables.items[t], title, out, error);
    }
    return !out->failed;
}
