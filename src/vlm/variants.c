/* ggml's CPU back end in a build for any CPU of a kind (cmake/portable.cmake): compiled several
 * times, each for more instructions, and this file in place of the one: it takes the best that the
 * CPU at hand can run.  Whoever else calls one of these functions of ggml's does not see a
 * difference. */
#include "vlm/variants.h" /* made by the build: a list PIAA_CPU_VARIANTS(DO) of names */

#include <ggml-cpu.h>
#include <stddef.h>
#include <string.h>

typedef ggml_backend_reg_t opener(void);
typedef int scorer(void); /* 0: the CPU lacks an instruction */

#define DECLARE(name)                                                                              \
    opener piaa_ggml_cpu_##name;                                                                   \
    scorer piaa_ggml_score_##name;
#define ENTRY(name) {piaa_ggml_cpu_##name, piaa_ggml_score_##name},

PIAA_CPU_VARIANTS(DECLARE)

static const struct {
    opener *open;
    scorer *score;
} variants[] = {PIAA_CPU_VARIANTS(ENTRY)};

ggml_backend_reg_t ggml_backend_cpu_reg(void) {
    size_t best = 0;
    int most = 0;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        const int score = variants[i].score();
        if (score > most) {
            most = score;
            best = i;
        }
    }
    return variants[best].open();
}

ggml_backend_t ggml_backend_cpu_init(void) {
    return ggml_backend_dev_init(ggml_backend_reg_dev_get(ggml_backend_cpu_reg(), 0), NULL);
}

void ggml_backend_cpu_set_n_threads(ggml_backend_t backend, int count) {
    ggml_backend_reg_t cpu = ggml_backend_dev_backend_reg(ggml_backend_get_device(backend));
    void *found = ggml_backend_reg_get_proc_address(cpu, "ggml_backend_set_n_threads");
    ggml_backend_set_n_threads_t set;
    if (!found) return;
    /* The way from data to code that POSIX grants and C does not spell. */
    memcpy(&set, &found, sizeof set);
    set(backend, count);
}
