/* limits.c: how near the dense products and a training step come to this core's arithmetic limit.
 *
 * The limit is measured in the same run: a loop of independent fused multiply-adds on registers.
 * Measurements are interleaved and medians are taken, so that a change of clock meets all of them.
 * One thread. Build and run: python benchmarks/limits.py
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "../csrc/bpcore.h"
#include "limits.h"

#define REPEATS 11

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, ascending);
    return values[count / 2];
}

/* NumPy asks for huge pages behind arrays of 4 MiB and more: so does this. */
#define HUGE_PAGE ((size_t)2 << 20)

static void *allocate(size_t bytes)
{
    size_t whole_pages = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *memory = aligned_alloc(HUGE_PAGE, whole_pages);
    if (!memory) {
        fprintf(stderr, "limits: no memory for %zu bytes\n", bytes);
        exit(1);
    }
#ifdef MADV_HUGEPAGE
    if (bytes >= 2 * HUGE_PAGE) madvise(memory, whole_pages, MADV_HUGEPAGE);
#endif
    return memory;
}

#define real float
#define NAME(x) x##_f32
#include "limits_template.h"
#undef real
#undef NAME
#define real double
#define NAME(x) x##_f64
#include "limits_template.h"
#undef real
#undef NAME

int main(void)
{
    static const bp_isa ISAS[] = {BP_AVX512, BP_AVX2, BP_NEON};
    printf("%-8s %-8s %-34s %9s %9s %8s\n", "isa", "dtype", "what", "GFLOP/s", "peak", "of peak");
    for (size_t i = 0; i < sizeof ISAS / sizeof *ISAS; i++) {
        if (!bp_isa_available(ISAS[i])) continue;
        measure_f32(ISAS[i]);
        measure_f64(ISAS[i]);
    }
    return 0;
}
