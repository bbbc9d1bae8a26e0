/* piaa report: runs as a page of tables and figures. */
#include "cli/commands.h"
#include "report/page.h"

static bool run(piaa_call *call, piaa_error *error) {
    const char *path = piaa_call_value(call, "out");
    if (!piaa_call_need(call, "out", error) || !piaa_page_check(path, error) ||
        !piaa_call_output(call, path, &piaa_page_kind, error))
        return false;
    bool ok = piaa_page_write(call->operands, call->operand_count, path, &call->talk.hooks, error);
    piaa_talk_clear(&call->talk);
    if (ok)
        piaa_talk_note(
            &call->talk,
            "The report is %s; its tables as LaTeX and its figures as SVG and CSV are beside it.",
            path);
    return ok;
}

static const piaa_option options[] = {{"out", "FILE", "the HTML file of the report", NULL, NULL},
                                      {0}};

const piaa_command piaa_command_report = {
    .name = "report",
    .summary = "Make a page of tables and figures from runs of probe and eval",
    .example = "piaa report aadb.run para.run --out report.html\n",
    .operands = "RUN…",
    .least = 1,
    .most = -1,
    .groups = {{"Result", options}},
    .notes = "report.html needs nothing but a browser. Beside it come report.tex, the tables for "
             "LaTeX (booktabs), and report-figures, "
             "each figure "
             "as SVG and its data as CSV. Figures are drawn by gnuplot; where that is not "
             "installed the report is made without them.",
    .run = run,
};
