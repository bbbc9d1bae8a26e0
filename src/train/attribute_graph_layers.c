/*
 * The two layers that people's nodes and photos' nodes both go through, forwards and back.
 *
 * Pairs: e_i = sum over j of (W2 relu(W1 [n_i; n_j] + b1) + b2), j = i too.  With W1 = [A | B] the
 * first layer is left_i = A n_i + b1 and right_j = B n_j, once for each node, and the second leaves
 * the sum:
 *
 *     e_i = W2 s_i + K b2,   s_i = sum over j of relu(left_i + right_j)
 *
 * Back, with g = dL/de, q = W2' g, and mask_ij where left_i + right_j > 0:
 *
 *     dW2 = g' s,   db2 = K sum of g,   dleft_i = q_i sum over j of mask_ij,
 *     dright_j = sum over i of mask_ij q_i,   dA = dleft' n,   dB = dright' n,
 *     db1 = sum of dleft,   dn = A' dleft + B' dright
 *
 * Cell (PyTorch's GRUCell), element by element, of a = Wi x + bi and h = Wh n + bh:
 *
 *     r = sigmoid(a_r + h_r),   z = sigmoid(a_z + h_z),   m = tanh(a_m + r h_m)
 *     n' = (1 - z) m + z n
 *
 * Back, with g = dL/dn':
 *
 *     da_m = g (1 - z) (1 - m^2),   da_z = g (n - m) z (1 - z),   da_r = da_m h_m r (1 - r)
 *     dh_r = da_r,   dh_z = da_z,   dh_m = da_m r,   dn = g z + Wh' dh
 */
#include "train/attribute_graph_parts.h"

#include "train/exponential.h"

#include <string.h>

void piaa_graph_add_rows(const float *x, int64_t rows, int64_t columns, float *sum) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < columns; i++) sum[i] += x[r * columns + i];
}

void piaa_graph_fill_rows(const float *row, int64_t rows, int64_t columns, float *y) {
    for (int64_t r = 0; r < rows; r++) memcpy(y + r * columns, row, (size_t)columns * sizeof *row);
}

/* s [hidden] += relu(left + right) */
static void add_pair(const float *restrict left, const float *restrict right, int hidden,
                     float *restrict s) {
    for (int h = 0; h < hidden; h++) {
        const float x = left[h] + right[h];
        s[h] += x < 0 ? 0 : x;
    }
}

void piaa_graph_pairs_forward(piaa_graph_linear first, piaa_graph_linear second,
                              const piaa_graph_pairs *p, int64_t groups, int nodes, int width,
                              int hidden) {
    const int64_t rows = groups * nodes;
    piaa_graph_fill_rows(first.bias, rows, hidden, p->left);
    piaa_multiply_bt(rows, hidden, width, 1, p->nodes, width, first.weight, 2 * width, 1, p->left,
                     hidden);
    piaa_multiply_bt(rows, hidden, width, 1, p->nodes, width, first.weight + width, 2 * width, 0,
                     p->right, hidden);
    memset(p->sums, 0, (size_t)(rows * hidden) * sizeof *p->sums);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = i / nodes * nodes, end = j + nodes; j < end; j++)
            add_pair(p->left + i * hidden, p->right + j * hidden, hidden, p->sums + i * hidden);
    for (int64_t i = 0; i < rows; i++)
        for (int k = 0; k < width; k++) p->out[i * width + k] = (float)nodes * second.bias[k];
    piaa_multiply_bt(rows, width, hidden, 1, p->sums, hidden, second.weight, hidden, 1, p->out,
                     width);
}

/* dleft and dright [hidden] += q where left + right > 0.  q is read either way: were it not,
   compilers would make a branch of it, which was 40 % of a step (now 6 %). */
static void add_pair_back(const float *restrict left, const float *restrict right,
                          const float *restrict q, int hidden, float *restrict dleft,
                          float *restrict dright) {
    for (int h = 0; h < hidden; h++) {
        const float all = q[h], d = left[h] + right[h] > 0 ? all : 0;
        dleft[h] += d;
        dright[h] += d;
    }
}

void piaa_graph_pairs_back(piaa_graph_linear first, piaa_graph_linear second,
                           const piaa_graph_pairs *p, const float *de, int64_t groups, int nodes,
                           int width, int hidden, float *room, piaa_graph_linear dfirst,
                           piaa_graph_linear dsecond, float *dn) {
    const int64_t rows = groups * nodes;
    float *q = room, *dleft = room + rows * hidden, *dright = dleft + rows * hidden;
    piaa_multiply_at(width, hidden, rows, 1, de, width, p->sums, hidden, 1, dsecond.weight, hidden);
    for (int64_t i = 0; i < rows; i++)
        for (int k = 0; k < width; k++) dsecond.bias[k] += (float)nodes * de[i * width + k];
    piaa_multiply(rows, hidden, width, 1, de, width, second.weight, hidden, 0, q, hidden);
    memset(dleft, 0, (size_t)(2 * rows * hidden) * sizeof *dleft);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = i / nodes * nodes, end = j + nodes; j < end; j++)
            add_pair_back(p->left + i * hidden, p->right + j * hidden, q + i * hidden, hidden,
                          dleft + i * hidden, dright + j * hidden);
    piaa_graph_add_rows(dleft, rows, hidden, dfirst.bias);
    const float *const halves[] = {dleft, dright};
    for (int side = 0; side < 2; side++) {
        const int64_t at = side * (int64_t)width;
        piaa_multiply_at(hidden, width, rows, 1, halves[side], hidden, p->nodes, width, 1,
                         dfirst.weight + at, 2 * width);
        piaa_multiply(rows, width, hidden, 1, halves[side], hidden, first.weight + at, 2 * width, 1,
                      dn, width);
    }
}

static inline float sigmoid(float x) {
    return 1 / (1 + piaa_exponential(-x));
}

void piaa_graph_cell_forward(float *restrict a, const float *restrict h, const float *restrict n,
                             int width, float *restrict sum) {
    float *z = a + width, *m = z + width;
    for (int i = 0; i < 2 * width; i++) a[i] = sigmoid(a[i] + h[i]);
    for (int i = 0; i < width; i++) {
        m[i] = 2 * sigmoid(2 * (m[i] + a[i] * h[2 * width + i])) - 1;
        sum[i] += (1 - z[i]) * m[i] + z[i] * n[i];
    }
}

void piaa_graph_cell_back(float *restrict a, const float *restrict h, const float *restrict n,
                          const float *restrict g, int width, float *restrict dh_m,
                          float *restrict dn) {
    for (int i = 0; i < width; i++) {
        const float r = a[i], z = a[width + i], m = a[2 * width + i];
        const float dm = g[i] * (1 - z) * (1 - m * m);
        a[i] = dm * h[2 * width + i] * r * (1 - r);
        a[width + i] = g[i] * (n[i] - m) * z * (1 - z);
        a[2 * width + i] = dm;
        dh_m[i] += dm * r;
        dn[i] += g[i] * z;
    }
}
