/*
 * With g the gradient, t the number of the step from 1, and everything element by element:
 *
 *     p <- p (1 - rate decay)
 *     m <- m + (1 - beta1) (g - m)
 *     v <- beta2 v + (1 - beta2) g^2
 *     p <- p - rate / (1 - beta1^t)  m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
 *
 * The decay is not in the gradient, and epsilon stands outside the corrected root.  Arrays are
 * float32; what depends on the step alone is computed in float64 and rounded once, as in PyTorch.
 */
#include "train/adamw.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

struct piaa_adamw {
    piaa_adamw_options options;
    float steps, counted;  /* t, which whoever resumes writes, and that of the powers */
    double power1, power2; /* beta^t */
    float keep;            /* 1 - rate decay */
    float size, root;      /* rate / (1 - beta1^t), sqrt(1 - beta2^t) */
    float *mean, *square;  /* m, v [count] */
    piaa_named state[3];
};

piaa_adamw *piaa_adamw_new(size_t count, const piaa_adamw_options *options, piaa_error *error) {
    piaa_adamw *adamw = piaa_alloc(1, sizeof *adamw, error);
    if (!adamw) return NULL;
    adamw->options = options ? *options : (piaa_adamw_options){0};
    if (adamw->options.beta1 == 0) adamw->options.beta1 = 0.9;
    if (adamw->options.beta2 == 0) adamw->options.beta2 = 0.999;
    if (adamw->options.epsilon == 0) adamw->options.epsilon = 1e-8;
    adamw->power1 = adamw->power2 = 1;
    adamw->mean = piaa_alloc(count, sizeof *adamw->mean, error);
    adamw->square = adamw->mean ? piaa_alloc(count, sizeof *adamw->square, error) : NULL;
    if (!adamw->square) {
        piaa_adamw_free(adamw);
        return NULL;
    }
    adamw->state[0] = (piaa_named){"adam.mean", 1, {(int64_t)count}, adamw->mean};
    adamw->state[1] = (piaa_named){"adam.square", 1, {(int64_t)count}, adamw->square};
    adamw->state[2] = (piaa_named){"adam.steps", 1, {1}, &adamw->steps};
    return adamw;
}

void piaa_adamw_free(piaa_adamw *adamw) {
    if (!adamw) return;
    free(adamw->mean);
    free(adamw->square);
    free(adamw);
}

const piaa_named *piaa_adamw_state(const piaa_adamw *adamw, size_t *count) {
    if (count) *count = PIAA_COUNT(adamw->state);
    return adamw->state;
}

int64_t piaa_adamw_steps(const piaa_adamw *adamw) {
    return (int64_t)adamw->steps;
}

/* One factor after another, so that a resumed training goes on with the same bits. */
static void count_again(piaa_adamw *adamw) {
    adamw->power1 = adamw->power2 = 1;
    for (float t = 0; t < adamw->steps && (adamw->power1 > 0 || adamw->power2 > 0); t++) {
        adamw->power1 *= adamw->options.beta1;
        adamw->power2 *= adamw->options.beta2;
    }
}

void piaa_adamw_begin(piaa_adamw *adamw, double rate) {
    if (adamw->steps != adamw->counted) count_again(adamw);
    adamw->counted = ++adamw->steps;
    adamw->power1 *= adamw->options.beta1;
    adamw->power2 *= adamw->options.beta2;
    adamw->keep = (float)(1 - rate * adamw->options.weight_decay);
    adamw->size = (float)(rate / (1 - adamw->power1));
    adamw->root = (float)sqrt(1 - adamw->power2);
}

void piaa_adamw_update(piaa_adamw *adamw, size_t first, float *parameters, const float *gradients,
                       size_t count) {
    const float fresh1 = (float)(1 - adamw->options.beta1), beta2 = (float)adamw->options.beta2,
                fresh2 = (float)(1 - adamw->options.beta2), epsilon = (float)adamw->options.epsilon,
                keep = adamw->keep, size = adamw->size, root = adamw->root;
    float *mean = adamw->mean + first, *square = adamw->square + first;
    for (size_t i = 0; i < count; i++) {
        const float g = gradients[i];
        mean[i] += fresh1 * (g - mean[i]);
        square[i] = beta2 * square[i] + fresh2 * g * g;
        parameters[i] =
            keep * parameters[i] - size * (mean[i] / (sqrtf(square[i]) / root + epsilon));
    }
}
