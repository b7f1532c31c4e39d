/* machine.c: the two limits of a machine: multiply-adds a second, and bytes a second.
 *
 *     machine THREADS ISA ...
 *     machine THREADS
 *
 * prints one JSON object of rates for one and for all threads. With instruction sets: operations a
 * second of independent fused multiply-adds in registers, the best of those sets. Without: bytes a
 * second read from an array far larger than the caches, from one of 8 MiB, and read and written by
 * a copy of the large one, where each thread has its own arrays. Built and run by machine.py.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "peak.h"

#define SECONDS 0.03
#define MOST_THREADS 256
#define SMALL ((size_t)8 << 20)
#define LARGE ((size_t)256 << 20)
#define MOST_MEMORY ((size_t)2 << 30)

typedef enum { FMA_F32, FMA_F64, READ, COPY } work;

typedef struct job {
    work what;
    bp_isa isa;
    size_t bytes;
    char *memory; /* 2 bytes: what is read, and where it is copied to. */
    pthread_barrier_t *together;
    double rate, sink;
} job;

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Sixteen independent sums: additions do not wait for each other, only for memory. */
static double read_all(const char *memory, size_t bytes, double *sink)
{
    const uint64_t *words = (const uint64_t *)memory;
    uint64_t sums[16] = {0}, total = 0;
    for (size_t i = 0; i < bytes / sizeof *words; i += 16)
        for (size_t j = 0; j < 16; j++) sums[j] += words[i + j];
    for (int j = 0; j < 16; j++) total += sums[j];
    *sink += (double)total;
    return (double)bytes;
}

static double once(job *j)
{
    switch (j->what) {
    case FMA_F32: return peak_f32(j->isa, 20000, &j->sink);
    case FMA_F64: return peak_f64(j->isa, 20000, &j->sink);
    case READ: return read_all(j->memory, j->bytes, &j->sink);
    default: memcpy(j->memory + j->bytes, j->memory, j->bytes); return 2.0 * (double)j->bytes;
    }
}

static void *run(void *argument)
{
    job *j = argument;
    if (j->bytes) {
        j->memory = aligned_alloc(4096, 2 * j->bytes);
        if (!j->memory) exit(1);
        memset(j->memory, 1, 2 * j->bytes);
    }
    once(j);
    pthread_barrier_wait(j->together);
    double start = seconds(), done = 0;
    do done += once(j);
    while (seconds() - start < SECONDS);
    j->rate = done / (seconds() - start);
    free(j->memory);
    return NULL;
}

/* The rate of all threads together. */
static double measure(work what, bp_isa isa, size_t bytes, int threads)
{
    pthread_t ids[MOST_THREADS];
    job jobs[MOST_THREADS];
    pthread_barrier_t together;
    double rate = 0;
    pthread_barrier_init(&together, NULL, (unsigned)threads);
    for (int i = 0; i < threads; i++) {
        jobs[i] = (job){.what = what, .isa = isa, .bytes = bytes, .together = &together};
        if (pthread_create(&ids[i], NULL, run, &jobs[i])) exit(1);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        rate += jobs[i].rate;
    }
    pthread_barrier_destroy(&together);
    return rate;
}

static double peak(work what, const bp_isa *isas, int count, int threads)
{
    double best = 0;
    for (int i = 0; i < count; i++) {
        double rate = measure(what, isas[i], 0, threads);
        if (rate > best) best = rate;
    }
    return best;
}

static void report(const char *name, double one, double all)
{
    printf("\"%s\": {\"one\": %.4g, \"all\": %.4g}, ", name, one, all);
}

int main(int count, char **words)
{
    bp_isa isas[8];
    int known = 0, all = count > 1 ? atoi(words[1]) : 0;
    if (all < 1 || all > MOST_THREADS) return 2;
    for (int i = 2; i < count && known < 8; i++) {
        if (!strcmp(words[i], "avx512")) isas[known++] = BP_AVX512;
        if (!strcmp(words[i], "avx2")) isas[known++] = BP_AVX2;
        if (!strcmp(words[i], "neon")) isas[known++] = BP_NEON;
    }
    printf("{");
    if (known) {
        report("float32", peak(FMA_F32, isas, known, 1), peak(FMA_F32, isas, known, all));
        report("float64", peak(FMA_F64, isas, known, 1), peak(FMA_F64, isas, known, all));
    } else if (count == 2) {
        size_t share = MOST_MEMORY / 2 / (size_t)all / 4096 * 4096;
        size_t large = share < LARGE ? share : LARGE;
        report("read", measure(READ, 0, large, 1), measure(READ, 0, large, all));
        report("read_8MiB", measure(READ, 0, SMALL, 1), measure(READ, 0, SMALL, all));
        report("copy", measure(COPY, 0, large, 1), measure(COPY, 0, large, all));
    }
    printf("\"threads\": %d}\n", all);
    return 0;
}
