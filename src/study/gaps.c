/* Groups of targets with the same gaps. */
#include "study/gaps.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

static bool same_gaps(const double *labels, size_t n, size_t targets, size_t a, size_t b) {
    for (size_t i = 0; i < n; i++)
        if (isfinite(labels[i * targets + a]) != isfinite(labels[i * targets + b])) return false;
    return true;
}

static bool fill(piaa_gap_group *group, const double *labels, size_t n, size_t targets,
                 piaa_error *error) {
    if (!(group->rows = piaa_alloc(n, sizeof *group->rows, error)) ||
        !(group->y = piaa_alloc(n, group->target_count * sizeof *group->y, error)))
        return false;
    for (size_t i = 0; i < n; i++) {
        const double *from = labels + i * targets;
        if (!isfinite(from[group->targets[0]])) continue;
        for (size_t k = 0; k < group->target_count; k++)
            group->y[group->n * group->target_count + k] = from[group->targets[k]];
        group->rows[group->n++] = i;
    }
    return true;
}

bool piaa_gaps_find(piaa_gaps *gaps, const double *labels, size_t n, size_t targets,
                    piaa_error *error) {
    *gaps = (piaa_gaps){.items = piaa_alloc(targets, sizeof *gaps->items, error)};
    bool ok = gaps->items != NULL;
    for (size_t t = 0; ok && t < targets; t++) {
        size_t g = 0;
        while (g < gaps->count && !same_gaps(labels, n, targets, gaps->items[g].targets[0], t)) g++;
        piaa_gap_group *group = &gaps->items[g];
        if (g == gaps->count) {
            ok = (group->targets = piaa_alloc(targets, sizeof *group->targets, error)) != NULL;
            gaps->count += ok;
        }
        if (ok) group->targets[group->target_count++] = t;
    }
    for (size_t g = 0; ok && g < gaps->count; g++)
        ok = fill(&gaps->items[g], labels, n, targets, error);
    if (!ok) piaa_gaps_free(gaps);
    return ok;
}

void piaa_gaps_free(piaa_gaps *gaps) {
    for (size_t g = 0; g < gaps->count; g++) {
        free(gaps->items[g].targets);
        free(gaps->items[g].rows);
        free(gaps->items[g].y);
    }
    free(gaps->items);
    *gaps = (piaa_gaps){0};
}
