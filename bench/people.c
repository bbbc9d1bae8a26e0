/*
 * How often intervals and p-values of people are wrong (docs/statistics.md): people are made up
 * whose figures have a known mean, again and again.
 *
 *     bench_people [RUNS]     20,000 runs for each cell; a tenth of that from 100 people on
 *
 * How often the 95 % interval holds the true mean, of the runs that have one; how often p is at
 * most 0.05 where neither of two methods is better; for comparison the bootstrap's interval.
 */
#include "linear/people.h"
#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 200, DRAWS = 1000 };

static const double pi = 3.141592653589793;

static double uniform(piaa_random *random) {
    return 1 - piaa_random_unit(random); /* never 0 */
}

static double normal(piaa_random *random) {
    return sqrt(-2 * log(uniform(random))) * cos(2 * pi * uniform(random));
}

static double exponential(piaa_random *random) {
    return -log(uniform(random)) - 1;
}

/* 2B - 1 with B from Beta(5, 1): between -1 and 1, most of them near 1, as correlations are. */
static double bounded(piaa_random *random) {
    return 2 * (pow(uniform(random), 0.2) - 5 / 6.0);
}

/* Student's with 3 degrees of freedom. */
static double long_tailed(piaa_random *random) {
    double a = normal(random), b = normal(random), c = normal(random);
    return normal(random) / sqrt((a * a + b * b + c * c) / 3);
}

static double five_values(piaa_random *random) {
    return (double)piaa_random_below(random, 5) - 2;
}

static double coin(piaa_random *random) {
    return piaa_random_below(random, 2) ? 1 : -1;
}

/* Poisson's with mean 1, less 1: 0, 1, 2 … of something, skewed. */
static double counts(piaa_random *random) {
    double product = uniform(random), count = 0;
    while (product > exp(-1)) {
        product *= uniform(random);
        count++;
    }
    return count - 1;
}

static const struct {
    const char *name;
    double (*draw)(piaa_random *random); /* of mean 0 */
} kinds[] = {{"normal", normal},
             {"long tails (t, 3 degrees)", long_tailed},
             {"skewed (exponential)", exponential},
             {"skewed and bounded (2 Beta(5, 1) - 1)", bounded},
             {"five values", five_values},
             {"two values", coin},
             {"counts (Poisson, 1)", counts}};

static const size_t people[] = {3, 5, 8, 10, 24, 40, 99, 100, 200};

typedef enum question {
    INTERVAL,  /* does it hold 0? */
    BOOTSTRAP, /* does the percentile bootstrap's? */
    ONE,       /* is p <= 0.05? */
    TWO        /* is p <= 0.05 of the differences of two such figures? */
} question;

static bool ask(question what, const double *a, const double *b, size_t n, uint32_t seed,
                piaa_interval *interval, double *p, piaa_error *error) {
    switch (what) {
    case INTERVAL:
        return piaa_people_means(a, 1, n, DRAWS, seed, interval, error);
    case BOOTSTRAP:
        return piaa_bootstrap_mean(a, n, DRAWS, seed, interval, error);
    default:
        return piaa_people_compare(a, b, n, DRAWS, seed, interval, p, error);
    }
}

/* The share of runs in which the answer is yes. */
static double rate(double (*draw)(piaa_random *random), size_t n, int runs, question what,
                   piaa_random *random) {
    bool test = what == ONE || what == TWO;
    double a[MOST], b[MOST], p;
    int count = 0, defined = 0;
    for (int run = 0; run < runs; run++) {
        piaa_interval interval;
        piaa_error error = {0};
        for (size_t i = 0; i < n; i++) {
            a[i] = draw(random);
            b[i] = what == TWO ? draw(random) : 0;
        }
        if (!ask(what, a, b, n, (uint32_t)run, &interval, &p, &error)) {
            fprintf(stderr, "bench_people: %s\n", error.message);
            exit(1);
        }
        defined += test || !isnan(interval.low);
        count += test ? p <= 0.05 : interval.low <= 0 && interval.high >= 0;
    }
    return count / (double)defined;
}

static void print_table(const char *title, int runs, question what, size_t rows,
                        piaa_random *random) {
    printf("%s\n\n| people |", title);
    for (size_t k = 0; k < PIAA_COUNT(people); k++) printf(" %zu |", people[k]);
    printf("\n|---|");
    for (size_t k = 0; k < PIAA_COUNT(people); k++) printf("---|");
    for (size_t i = 0; i < rows; i++) {
        printf("\n| %s |", kinds[i].name);
        for (size_t k = 0; k < PIAA_COUNT(people); k++) {
            int own = people[k] < PIAA_PEOPLE_MANY ? runs : runs / 10;
            printf(" %.3f |", rate(kinds[i].draw, people[k], own, what, random));
            fflush(stdout);
        }
    }
    printf("\n\n");
}

int main(int count, char **words) {
    static piaa_random random;
    int runs = count > 1 ? atoi(words[1]) : 20000; /* NOLINT(cert-err34-c) */
    if (runs < 10) {
        fprintf(stderr, "usage: bench_people [RUNS]\n");
        return 2;
    }
    piaa_random_seed_numpy(&random, 42);
    size_t all = PIAA_COUNT(kinds);
    print_table("Coverage of the 95 % interval", runs, INTERVAL, all, &random);
    print_table("p <= 0.05, differences of two such figures", runs, TWO, all, &random);
    print_table("p <= 0.05, differences that are themselves so", runs, ONE, all, &random);
    print_table("Coverage of the percentile bootstrap's interval", runs, BOOTSTRAP, 1, &random);
    return 0;
}
