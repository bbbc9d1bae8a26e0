/* Random numbers that other people's experiments can be repeated with: the Mersenne Twister
 * MT19937, seeded and used as CPython's random.Random does it, or as NumPy's RandomState (and
 * pandas on top of it) does.  One generator, two ways to seed it, two ways to draw. */
#ifndef PIAA_BASE_RANDOM_H
#define PIAA_BASE_RANDOM_H

#include "base/error.h"

/* A plain value of 2.5 kB, copied at will; seed it before use. */
typedef struct piaa_random {
    uint32_t state[624];
    int next; /* the word of `state` that is tempered next; 624: a new block is due */
} piaa_random;

/* random.Random(seed): the sign is ignored. */
void piaa_random_seed_python(piaa_random *random, int64_t seed);
/* numpy.random.RandomState(seed). */
void piaa_random_seed_numpy(piaa_random *random, uint32_t seed);

uint32_t piaa_random_word(piaa_random *random); /* 32 uniform bits */
/* [0, 1) in steps of 2^-53: random.random() and RandomState.random_sample() alike. */
double piaa_random_unit(piaa_random *random);

/* ---- as CPython draws */

uint64_t piaa_random_bits(piaa_random *random, int bits); /* getrandbits, 1 to 64 bits */
/* randrange(bound): 0 to bound - 1; 0 for a bound of 0. */
uint64_t piaa_random_below(piaa_random *random, uint64_t bound);
void piaa_random_shuffle(piaa_random *random, size_t *items, size_t count); /* random.shuffle */

/* random.sample(range(population), count): positions without repetition, in the order drawn, into
 * out[count]. PIAA_USAGE where count exceeds the population. */
bool piaa_random_sample(piaa_random *random, size_t population, size_t count, size_t *out,
                        piaa_error *error) PIAA_MUST_USE;

/* ---- as NumPy draws */

/* 0 to most, both included; RandomState.randint(0, most + 1). */
uint64_t piaa_random_interval(piaa_random *random, uint64_t most);

/* RandomState.permutation(count) into out[count].  DataFrame.sample(frac=1, random_state=seed)
   takes its rows in this order. */
void piaa_random_permutation(piaa_random *random, size_t *out, size_t count);

#endif
