/* The page: text, tables and figures in one file.  No network, no script; light or dark as the
   reader's system is. */
#include "report/page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char style[] =
    ":root{color-scheme:light dark;--paper:#ffffff;--card:#f6f7f8}\n"
    "@media(prefers-color-scheme:dark){:root{--paper:#15181b;--card:#1d2125}}\n"
    "body{margin:0 auto;padding:1rem 1.1rem "
    "4rem;max-width:1180px;background:var(--paper);color:var(--ink);"
    "font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.7rem;line-height:1.2;margin:1.2rem 0 .4rem}h2{font-size:1.35rem;margin:3rem 0 "
    ".4rem;padding-top:1rem;"
    "border-top:1px solid var(--rule)}h3{font-size:1.05rem;margin:1.8rem 0 .4rem}\n"
    "p,dl,li{max-width:46rem}a{color:var(--c1)}code{font-size:.92em}\n"
    ".note{background:var(--card);border-left:3px solid var(--c2);padding:.6rem .9rem;margin:1rem "
    "0;max-width:46rem}.note p{margin:.2rem "
    "0}\n"
    "dl{display:grid;grid-template-columns:minmax(6rem,auto) 1fr;gap:.15rem "
    "1rem}dt{color:var(--c8)}dd{margin:0;overflow-wrap:anywhere}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:"
    "tabular-nums}\n"
    "th,td{padding:.3rem .8rem .3rem "
    "0;text-align:right;white-space:nowrap}th:first-child,td:first-child{text-align:left}\n"
    "thead th{border-bottom:1.5px solid var(--ink);font-weight:600}tbody tr+tr td{border-top:1px "
    "solid var(--rule)}\n"
    ".small{font-size:.85rem;color:var(--c8)}\n"
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:"
    "1.6rem 2.2rem;align-items:start;"
    "margin-top:1.4rem}\n"
    "figure{margin:0}figure "
    "svg{display:block;width:100%;max-width:640px;height:auto}figcaption{font-size:.88rem;line-"
    "height:1.45;"
    "margin-top:.4rem}figcaption b{display:block}\n"
    "@media(max-width:480px){figure svg{width:calc(100% + 1.4rem);margin-left:-.7rem}}\n";

static void put(piaa_text *out, const char *text, piaa_error *error) {
    piaa_text_add(out, text, strlen(text), error);
}

static void text(piaa_text *out, const char *before, const char *words, const char *after,
                 piaa_error *error) {
    put(out, before, error);
    piaa_xml_add(out, words, error);
    put(out, after, error);
}

static void entry(piaa_text *out, const char *term, const char *words, piaa_error *error) {
    if (!*words) return;
    text(out, "<dt>", term, "</dt>", error);
    text(out, "<dd>", words, "</dd>\n", error);
}

/* --------------------------------------------------------------------------------- what was run */

/* "V 0-5, LT 0-8" of what the run has features of. */
static void say_features(const piaa_run *run, char out[512]) {
    static const struct {
        piaa_pool pool;
        const char *name;
    } pools[] = {{PIAA_V, "V"},   {PIAA_POOLED, "pooled"}, {PIAA_PROJECTED, "projected"},
                 {PIAA_LV, "LV"}, {PIAA_LT, "LT"},         {PIAA_LT_TAIL, "LT tail"}};
    size_t used = 0, count = run->eval ? run->outcome_count : run->source_count;
    out[0] = '\0';
    for (size_t p = 0; p < PIAA_COUNT(pools); p++) {
        int low = -1, high = -1;
        for (size_t i = 0; i < count; i++) {
            int layer = run->eval ? run->outcomes[i].layer : run->sources[i].layer;
            if ((run->eval ? run->outcomes[i].pool : run->sources[i].pool) != pools[p].pool ||
                layer < 0)
                continue;
            if (low < 0 || layer < low) low = layer;
            if (layer > high) high = layer;
        }
        if (low < 0 || used >= 400) continue;
        used += (size_t)snprintf(out + used, 512 - used, "%s%s %d", used ? ", " : "", pools[p].name,
                                 low);
        if (high > low) used += (size_t)snprintf(out + used, 512 - used, " to %d", high);
    }
}

static void say_probe_counts(piaa_text *out, const piaa_run *run, piaa_error *error) {
    char words[320];
    double test = piaa_run_value(run, "counts.test");
    int used =
        snprintf(words, sizeof words, "%s to learn from", piaa_run_count(run, "counts.train").text);
    if (strstr(piaa_run_text(run, "config.val_split", ""), "leave-one-out"))
        used += snprintf(words + used, sizeof words - (size_t)used,
                         ", which also choose the layer by leave-one-out predictions");
    else
        used += snprintf(words + used, sizeof words - (size_t)used, ", %s to choose the layer",
                         piaa_run_count(run, "counts.val").text);
    if (test > 0) snprintf(words + used, sizeof words - (size_t)used, ", %.0f to test", test);
    double vector = piaa_run_value(run, "counts.without_vector"),
           label = piaa_run_value(run, "counts.without_label");
    entry(out, "Images", words, error);
    double shared = strcmp(piaa_run_text(run, "config.test_split", ""), "test-new") == 0
                        ? piaa_run_value(run, "counts.shared")
                        : 0;
    if (!(vector > 0) && !(label > 0) && !(shared > 0)) return;
    used = snprintf(words, sizeof words, "%.0f images without features and %.0f without a label",
                    vector, label);
    if (shared > 0)
        snprintf(words + used, sizeof words - (size_t)used,
                 "; %.0f test images that are on the training or validation list too", shared);
    entry(out, "Left out", words, error);
}

static void say_eval_counts(piaa_text *out, const piaa_run *run, piaa_error *error) {
    char words[320];
    const char *hard = piaa_run_text(run, "config.users", "all"),
               *images = piaa_run_text(run, "config.images_subset", "all");
    snprintf(words, sizeof words, "%s%s (%s have too few ratings, %s were not drawn), seed %s",
             piaa_run_count(run, "counts.users").text,
             strcmp(hard, "hard") == 0 ? " hard users" : "",
             piaa_run_count(run, "counts.below").text, piaa_run_count(run, "counts.not_drawn").text,
             piaa_run_count(run, "config.seed").text);
    entry(out, "People", words, error);
    if (piaa_run_value(run, "counts.tied") > 0) {
        snprintf(words, sizeof words,
                 "%.0f people were drawn from among equals of whom others were not; which of them "
                 "the published code draws may depend on the processor",
                 piaa_run_value(run, "counts.tied"));
        entry(out, "Ties", words, error);
    }
    bool small = false, large = false;
    for (size_t i = 0; i < run->outcome_count; i++) {
        if (strcmp(run->outcomes[i].support, "small") == 0)
            small = true;
        else
            large = true;
    }
    snprintf(words, sizeof words, "%s to learn from",
             piaa_run_count(run, large ? "config.large" : "config.small").text);
    if (run->outcome_count && run->outcomes[0].choose)
        snprintf(words, sizeof words, "%s and %s to choose from",
                 piaa_run_count(run, "config.small").text,
                 piaa_run_count(run, "config.large").text);
    else if (small && large)
        snprintf(words, sizeof words, "%s or %s to learn from",
                 piaa_run_count(run, "config.small").text,
                 piaa_run_count(run, "config.large").text);
    size_t used = strlen(words);
    snprintf(words + used, sizeof words - used, ", %s to test, of each person%s",
             piaa_run_count(run, "config.test").text,
             strcmp(images, "hard") == 0 ? "; of hard images only" : "");
    entry(out, "Ratings", words, error);
    double left = 0;
    const cJSON *outcome;
    cJSON_ArrayForEach(outcome, piaa_json_find(run->root, "outcomes")) {
        double n = 0, m = 0;
        piaa_json_number(outcome, "test_left_out", &n);
        piaa_json_number(outcome, "support_left_out", &m);
        left = fmax(left, n + m);
    }
    if (!(left > 0)) return;
    snprintf(words, sizeof words, "%.0f ratings whose image has no features", left);
    entry(out, "Left out", words, error);
}

static const char *last_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* What PIAA-ICI's priors were trained on. */
static void say_prior(piaa_text *out, const piaa_run *run, piaa_error *error) {
    char words[512];
    bool shared = false, node = false, identity = false;
    if (!piaa_json_find(run->root, "ici")) return;
    piaa_json_bool(run->root, "ici.shared_photos", &shared);
    piaa_json_bool(run->root, "ici.user_node", &node);
    piaa_json_bool(run->root, "ici.attribute_identity", &identity);
    const char *reads = piaa_run_text(run, "ici.reads", "");
    snprintf(words, sizeof words,
             "%.80s, trained on %s ratings that %s people of %.20s gave %s photos%s; its front "
             "reads %.20s; tuned: %.20s%s%s",
             last_name(piaa_run_text(run, "ici.model", "")),
             piaa_run_count(run, "ici.ratings").text, piaa_run_count(run, "ici.people").text,
             piaa_run_text(run, "ici.data", ""), piaa_run_count(run, "ici.photos").text,
             shared ? " (among them photos of the people evaluated, as others rate them)" : "",
             *reads ? reads : "photos (resnet50)", piaa_run_text(run, "ici.scope", ""),
             node ? "; with a node for the person" : "",
             identity ? "; with an identity of attributes" : "");
    entry(out, "Prior", words, error);
    const double lost = piaa_run_value(run, "ici.traits_lost.without_row"),
                 unknown = piaa_run_value(run, "ici.traits_lost.unknown_words"),
                 missing = piaa_run_value(run, "ici.traits_lost.missing_words") +
                           piaa_run_value(run, "ici.traits_lost.missing_numbers");
    if (!(lost + unknown + missing > 0)) return;
    snprintf(words, sizeof words,
             "%.0f people without traits; %.0f words that nobody trained on has, and %.0f single "
             "traits missing: taken as the first word, or 0",
             lost, unknown, missing);
    entry(out, "Traits", words, error);
}

static void what_was_run(piaa_text *out, const piaa_run *run, piaa_error *error) {
    char words[640], features[512];
    bool demonstration = false;
    piaa_json_bool(run->root, "config.demonstration", &demonstration);
    snprintf(words, sizeof words, "%.80s, in the folder %.200s: %s images",
             piaa_run_text(run, "config.dataset", ""),
             last_name(piaa_run_text(run, "config.dataset_dir", "")),
             piaa_run_count(run, "config.images").text);
    put(out, "<h3>What was run</h3>\n<dl>\n", error);
    entry(out, "Data", words, error);
    (run->eval ? say_eval_counts : say_probe_counts)(out, run, error);
    const char *loss = piaa_run_text(run, "config.loss", "");
    double unreadable = piaa_run_value(run, "config.unreadable");
    snprintf(words, sizeof words, "%.500s", loss);
    if (unreadable > 0)
        snprintf(words + strlen(words), sizeof words - strlen(words),
                 "%s%.0f image file%s could not be read", *loss ? "; " : "", unreadable,
                 unreadable > 1 ? "s" : "");
    entry(out, "Lost", *words ? words : "nothing: every row and image could be used", error);
    snprintf(words, sizeof words, "%.200s (%.60s, weights as %.20s)%s",
             last_name(piaa_run_text(run, "config.model_id", "")),
             piaa_run_text(run, "config.family", ""), piaa_run_text(run, "config.dtype", ""),
             demonstration ? ": the demonstration model" : "");
    entry(out, "Model", words, error);
    snprintf(words, sizeof words, "%.400s", piaa_run_text(run, "config.prompt", ""));
    entry(out, "Prompt", words, error);
    say_features(run, features);
    entry(out, "Layers", features, error);
    say_prior(out, run, error);
    entry(out, "Photos read", piaa_run_text(run, "config.preprocessing", ""), error);
    snprintf(words, sizeof words, "%.40s, piaa %.40s", piaa_run_text(run, "made", ""),
             piaa_run_text(run, "config.library", ""));
    entry(out, "Made", words, error);
    put(out, "</dl>\n", error);
}

/* ------------------------------------------------------------------------------ tables, figures */

static void write_table(piaa_text *out, const piaa_table *table, piaa_error *error) {
    text(out, "<h3>", table->title, "</h3>\n<div class=\"wide\"><table><thead>\n", error);
    for (size_t row = 0; row <= table->rows; row++) {
        put(out, "<tr>", error);
        for (size_t c = 0; c < table->columns; c++) {
            const char *cell = table->cells[row * table->columns + c];
            text(out, row ? "<td>" : "<th>", cell ? cell : "", row ? "</td>" : "</th>", error);
        }
        put(out, row ? "</tr>\n" : "</tr>\n</thead><tbody>\n", error);
    }
    text(out, "</tbody></table></div>\n<p class=\"small\">", table->note, "</p>\n", error);
}

/* Links are relative and hold a name that the user chose. */
static void put_link(piaa_text *out, const char *folder, const char *name, const char *suffix,
                     piaa_error *error) {
    put(out, "<a href=\"", error);
    for (const unsigned char *byte = (const unsigned char *)folder; *byte; byte++) {
        bool plain = (*byte >= 'a' && *byte <= 'z') || (*byte >= 'A' && *byte <= 'Z') ||
                     (*byte >= '0' && *byte <= '9') || strchr("-_.", *byte);
        piaa_text_format(out, error, plain ? "%c" : "%%%02X", *byte);
    }
    piaa_text_format(out, error, "/%s.%s\">%s</a>", name, suffix, suffix[0] == 's' ? "SVG" : "CSV");
}

static void write_plot(piaa_text *out, const piaa_plot *plot, const char *folder,
                       piaa_error *error) {
    put(out, "<figure>\n", error);
    if (plot->page.length) piaa_text_add(out, plot->page.data, plot->page.length, error);
    text(out, "<figcaption><b>", plot->title, "</b>", error);
    text(out, "", plot->caption, " <span class=\"small\">", error);
    if (plot->page.length) {
        put_link(out, folder, plot->name, "svg", error);
        put(out, " ", error);
    }
    put_link(out, folder, plot->name, "csv", error);
    put(out, "</span></figcaption>\n</figure>\n", error);
}

static const char probe_words[] = "<p>Probing asks what a layer knows. For each attribute and "
                                  "layer a ridge regression is learned on the "
                                  "training images, from the layer's "
                                  "state averaged over a group of tokens; how well it predicts the "
                                  "attribute of images that it has not "
                                  "seen says how plainly the attribute "
                                  "stands in that layer. The layer is chosen on the validation "
                                  "images and judged on the test images.</p>\n";
static const char eval_words[] =
    "<p>The personal protocol asks how well one person's scores can be predicted from a few of "
    "their ratings. For each person a ridge "
    "regression is learned on the ratings of the support set and tested on other images that the "
    "person rated. "
    "<i>linear-hidden</i> learns the person's scores from a layer's state, <i>giaa-target</i> the "
    "mean scores of everybody, <i>reduce</i> "
    "the "
    "person's scores from a dozen predicted attributes, <i>style-out</i> the person's scores "
    "without images of the tested style. <i>ici</i> begins with a network that many other people "
    "have trained.</p>\n";

static bool write_part(piaa_text *out, const piaa_page_part *part, size_t number,
                       const char *folder, piaa_error *error) {
    const piaa_run *run = part->run;
    char title[160];
    if (!piaa_page_title(run, title, error)) return false;
    piaa_text_format(out, error, "<section id=\"run-%zu\">\n", number);
    text(out, "<h2>", title, "</h2>\n", error);
    put(out, run->eval ? eval_words : probe_words, error);
    what_was_run(out, run, error);
    for (size_t i = 0; i < part->tables.count; i++) write_table(out, &part->tables.items[i], error);
    put(out, "<h3>Figures</h3>\n<div class=\"figures\">\n", error);
    for (size_t i = 0; i < part->plots.count; i++)
        write_plot(out, &part->plots.items[i], folder, error);
    put(out, "</div>\n</section>\n", error);
    return !out->failed;
}

static void write_notes(piaa_text *out, const piaa_page_part *parts, size_t count, bool drawn,
                        piaa_error *error) {
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        bool demonstration = false;
        piaa_json_bool(parts[i].run->root, "config.demonstration", &demonstration);
        any = any || demonstration;
    }
    if (any)
        put(out,
            "<div class=\"note\"><p><b>Made with the demonstration model.</b> It was trained "
            "on rendered scenes and shows that the program "
            "works, no more. The small data sets that come with piaa are rendered scenes with "
            "simulated raters: figures from them say "
            "nothing about people, and are not to be compared with the paper's.</p></div>\n",
            error);
    if (!drawn)
        put(out,
            "<div class=\"note\"><p>gnuplot was not there when this report was made: it has "
            "no figures, only the links to their data.</p>"
            "</div>\n",
            error);
}

/* Where there are several runs. */
static bool write_contents(piaa_text *out, const piaa_page_part *parts, size_t count,
                           piaa_error *error) {
    if (count < 2) return true;
    put(out, "<ol>\n", error);
    for (size_t i = 0; i < count; i++) {
        char title[160];
        if (!piaa_page_title(parts[i].run, title, error)) return false;
        piaa_text_format(out, error, "<li><a href=\"#run-%zu\">", i + 1);
        text(out, "", title, "</a> <span class=\"small\">", error);
        text(out, "", parts[i].run->name, "</span></li>\n", error);
    }
    put(out, "</ol>\n", error);
    return true;
}

bool piaa_page_html(const piaa_page_part *parts, size_t count, const piaa_tables *together,
                    const char *figures, bool drawn, piaa_text *out, piaa_error *error) {
    put(out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
        "<meta name=\"generator\" content=\"piaa report\"/>\n"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\n<title>What "
        "the model's layers know, and "
        "people's tastes</title>\n<style>\n",
        error);
    piaa_plot_style(out, error);
    put(out, style, error);
    put(out,
        "</style>\n</head>\n<body>\n<h1>What the model's layers know, and people's "
        "tastes</h1>\n",
        error);
    write_notes(out, parts, count, drawn, error);
    if (!write_contents(out, parts, count, error)) return false;
    if (together->count) put(out, "<section id=\"together\">\n", error);
    for (size_t t = 0; t < together->count; t++) write_table(out, &together->items[t], error);
    if (together->count) put(out, "</section>\n", error);
    for (size_t i = 0; i < count; i++)
        if (!write_part(out, &parts[i], i + 1, figures, error)) return false;
    put(out, "</body>\n</html>\n", error);
    return !out->failed;
}
