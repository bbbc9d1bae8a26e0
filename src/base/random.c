/* MT19937 (M. Matsumoto and T. Nishimura, "Mersenne Twister", ACM TOMACS 8(1), 1998; seeding of
 * 2002).
 *
 * The state is 624 words x[k] of 32 bits with the recurrence
 *     x[k + 624] = x[k + 397] ^ T(upper bit of x[k] | lower 31 bits of x[k + 1]),
 *     T(y) = (y >> 1) ^ (y odd ? 0x9908b0df : 0),
 * whose period is 2^19937 - 1; what comes out is x[k] tempered by four shifts that spread its bits.
 *
 * Uniform integers are drawn by rejection in both worlds: take as many bits as the largest value
 * has and draw again while they exceed it. CPython takes the high bits of a word and NumPy the low
 * ones, hence two functions. */
#include "base/random.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

enum { WORDS = 624, SHIFT = 397 };

/* -------------------------------------------------------------------------------------- seeding */

void piaa_random_seed_numpy(piaa_random *random, uint32_t seed) {
    uint32_t *x = random->state;
    x[0] = seed;
    for (uint32_t k = 1; k < WORDS; k++)
        x[k] = UINT32_C(1812433253) * (x[k - 1] ^ (x[k - 1] >> 30)) + k;
    random->next = WORDS;
}

/* The algorithm's seeding by a key of any length; CPython's key is the seed's absolute value in
   words of 32 bits, the lowest first. */
void piaa_random_seed_python(piaa_random *random, int64_t seed) {
    uint64_t magnitude = seed < 0 ? -(uint64_t)seed : (uint64_t)seed;
    uint32_t key[2] = {(uint32_t)magnitude, (uint32_t)(magnitude >> 32)}, *x = random->state;
    uint32_t length = key[1] ? 2 : 1, i = 1, j = 0;
    piaa_random_seed_numpy(random, 19650218);
    for (int turn = 0; turn < WORDS; turn++) {
        x[i] = (x[i] ^ ((x[i - 1] ^ (x[i - 1] >> 30)) * UINT32_C(1664525))) + key[j] + j;
        if (++i >= WORDS) x[0] = x[WORDS - 1], i = 1;
        if (++j >= length) j = 0;
    }
    for (int turn = 1; turn < WORDS; turn++) {
        x[i] = (x[i] ^ ((x[i - 1] ^ (x[i - 1] >> 30)) * UINT32_C(1566083941))) - i;
        if (++i >= WORDS) x[0] = x[WORDS - 1], i = 1;
    }
    x[0] = UINT32_C(0x80000000);
}

/* ---------------------------------------------------------------------------------------- words */

static void next_block(uint32_t *x) {
    for (int k = 0; k < WORDS; k++) {
        uint32_t y = (x[k] & UINT32_C(0x80000000)) | (x[(k + 1) % WORDS] & UINT32_C(0x7fffffff));
        x[k] = x[(k + SHIFT) % WORDS] ^ (y >> 1) ^ (y & 1 ? UINT32_C(0x9908b0df) : 0);
    }
}

uint32_t piaa_random_word(piaa_random *random) {
    if (random->next >= WORDS) {
        next_block(random->state);
        random->next = 0;
    }
    uint32_t y = random->state[random->next++];
    y ^= y >> 11;
    y ^= (y << 7) & UINT32_C(0x9d2c5680);
    y ^= (y << 15) & UINT32_C(0xefc60000);
    return y ^ (y >> 18);
}

double piaa_random_unit(piaa_random *random) {
    /* 27 and 26 bits. */
    uint32_t high = piaa_random_word(random) >> 5, low = piaa_random_word(random) >> 6;
    return (high * 67108864.0 + low) / 9007199254740992.0;
}

/* -------------------------------------------------------------------------------------- CPython */

uint64_t piaa_random_bits(piaa_random *random, int bits) {
    if (bits <= 32) return piaa_random_word(random) >> (32 - bits);
    uint64_t low = piaa_random_word(random);
    return low | (uint64_t)(piaa_random_word(random) >> (64 - bits)) << 32;
}

static int bit_length(uint64_t value) {
    int length = 0;
    for (; value; value >>= 1) length++;
    return length;
}

uint64_t piaa_random_below(piaa_random *random, uint64_t bound) {
    if (!bound) return 0;
    int bits = bit_length(bound);
    uint64_t drawn;
    do drawn = piaa_random_bits(random, bits);
    while (drawn >= bound);
    return drawn;
}

void piaa_random_shuffle(piaa_random *random, size_t *items, size_t count) {
    for (size_t i = count; i-- > 1;) {
        size_t j = (size_t)piaa_random_below(random, i + 1), kept = items[i];
        items[i] = items[j];
        items[j] = kept;
    }
}

/* Small populations: a pool from which the drawn are taken away. */
static bool sample_from_pool(piaa_random *random, size_t population, size_t count, size_t *out,
                             piaa_error *error) {
    size_t *pool = piaa_alloc(population, sizeof *pool, error);
    if (!pool) return false;
    for (size_t i = 0; i < population; i++) pool[i] = i;
    for (size_t i = 0; i < count; i++) {
        size_t j = (size_t)piaa_random_below(random, population - i);
        out[i] = pool[j];
        pool[j] = pool[population - i - 1];
    }
    free(pool);
    return true;
}

/* Large ones: draw again what was drawn before. */
static bool sample_by_marking(piaa_random *random, size_t population, size_t count, size_t *out,
                              piaa_error *error) {
    bool *drawn = piaa_alloc(population, sizeof *drawn, error);
    if (!drawn) return false;
    for (size_t i = 0; i < count; i++) {
        do out[i] = (size_t)piaa_random_below(random, population);
        while (drawn[out[i]]);
        drawn[out[i]] = true;
    }
    free(drawn);
    return true;
}

/* Which of the two it is changes the outcome: CPython compares the sizes that a list and a set
   would have there. */
bool piaa_random_sample(piaa_random *random, size_t population, size_t count, size_t *out,
                        piaa_error *error) {
    if (count > population)
        return piaa_error_set(error, PIAA_USAGE,
                              "%zu of %zu cannot be drawn without repetition: ask for fewer", count,
                              population);
    double set_size = 21;
    if (count > 5) set_size += pow(4, ceil(log((double)count * 3) / log(4)));
    if ((double)population <= set_size)
        return sample_from_pool(random, population, count, out, error);
    return sample_by_marking(random, population, count, out, error);
}

/* ---------------------------------------------------------------------------------------- NumPy */

uint64_t piaa_random_interval(piaa_random *random, uint64_t most) {
    if (!most) return 0;
    uint64_t mask = UINT64_MAX >> (64 - bit_length(most)), drawn;
    do {
        drawn = 0;
        if (most > UINT32_MAX) drawn = (uint64_t)piaa_random_word(random) << 32;
        drawn = (drawn | piaa_random_word(random)) & mask;
    } while (drawn > most);
    return drawn;
}

void piaa_random_permutation(piaa_random *random, size_t *out, size_t count) {
    for (size_t i = 0; i < count; i++) out[i] = i;
    for (size_t i = count; i-- > 1;) {
        size_t j = (size_t)piaa_random_interval(random, i), kept = out[i];
        out[i] = out[j];
        out[j] = kept;
    }
}
