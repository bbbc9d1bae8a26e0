/* Spearman, R2 and RMSE of one list of predictions, and correlation matrices; the arithmetic is in
   metrics.c. */
#include "linear/agreement.h"

#include "base/memory.h"
#include "linear/metrics.h"

#include <math.h>
#include <stdlib.h>

bool piaa_agreement_measure(const double *truth, const double *predicted, size_t n, size_t stride,
                            piaa_agreement *out, piaa_error *error) {
    double *lists = piaa_alloc_array(2 * n, sizeof(double), error);
    if (!lists) return false;
    for (size_t i = 0; i < n; i++) {
        lists[i] = truth[i * stride];
        lists[n + i] = predicted[i * stride];
    }
    *out = (piaa_agreement){.n = n,
                            .r2 = piaa_metrics_r2(lists, lists + n, n),
                            .rmse = piaa_metrics_rmse(lists, lists + n, n)};
    bool ok = piaa_metrics_spearman(lists, lists + n, n, &out->spearman, error);
    free(lists);
    return ok;
}

bool piaa_agreement_correlate(const double *values, size_t n, size_t columns, double *out,
                              piaa_error *error) {
    double *lists = piaa_alloc_array(2 * n, sizeof(double), error);
    if (!lists) return false;
    for (size_t j = 0; j < columns; j++)
        for (size_t k = 0; k <= j; k++) {
            size_t both = 0;
            for (size_t i = 0; i < n; i++) {
                double a = values[i * columns + j], b = values[i * columns + k];
                if (isnan(a) || isnan(b)) continue;
                lists[both] = a;
                lists[n + both++] = b;
            }
            out[j * columns + k] = out[k * columns + j] =
                piaa_metrics_pearson(lists, lists + n, both);
        }
    free(lists);
    return true;
}
