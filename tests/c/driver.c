/* driver.c: the C core without Python, for sanitizers, guard pages and other machines.
 *
 * Runs every public function on seeded data with every instruction set of the CPU and prints a line
 * `isa precision what hash` for each; ends with `N passed, N failed` and a status of 1 where one
 * failed. Memory that a function must not touch cannot be touched: it would end here with a signal.
 *
 * The argument `shared` computes with several threads and the best instruction set alone, for
 * ThreadSanitizer; `once` in fewer ways; `single` in one, for emulators; `brief` some of it in one,
 * with the best instruction set alone; `all`, as without one, in all ways. Any other argument
 * breaks one of the laws, to show that it would be seen: over-read, under-read, over-write,
 * write-input, mismatch; race, which ThreadSanitizer sees; overflow, unwritten and leak, which
 * memcheck sees.
 *
 * A second argument, 32 or 64, computes in this precision alone: two processes are done sooner.
 */
#define _DEFAULT_SOURCE

#include "base/arena.h"
#include "base/rng.h"
#include "base/threads.h"
#include "bpcore.h"
#include "checks.h"

/* Slices of 5 rows; with threads longer ones, since each slice starts its threads. */
static size_t row_budget_of(const bp_execution *how)
{
    return how->threads > 1 ? 200 : 5;
}

/* One thread, and blocks as large as the library likes. */
static int is_plain(const bp_execution *how)
{
    return how->threads <= 1 && how->block_rows == 0;
}

static size_t mini_batch(size_t rows)
{
    return rows < 10 ? 1 : 10;
}

#define F(name) name##_f32
#define real float
#include "results_template.h"
#include "refusals_template.h"
#include "second_order_template.h"
#include "sparse_results_template.h"
#include "sparse_refusals_template.h"
#include "optimizers_template.h"
#undef F
#undef real
#define F(name) name##_f64
#define real double
#include "results_template.h"
#include "refusals_template.h"
#include "second_order_template.h"
#include "sparse_results_template.h"
#include "sparse_refusals_template.h"
#include "optimizers_template.h"
#undef F
#undef real

static const char *const SUBJECTS[] = {
    "matmul",          "functions",         "activations",         "layers",
    "networks",        "full_batch",        "mini_batches",        "compressed",
    "sparse_networks", "sparse_full_batch", "sparse_mini_batches", "packed_data",
    "outside",         "sparse_outside",    "systems",             "optimizers",
};
#define SUBJECT_COUNT 16

/* ---- Precision-free functions ---------------------------------------------------------------- */

/* Random123, kat_vectors: philox4x32 10. */
static void known_answers(void)
{
    static const uint32_t vectors[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        philox4x32(out, vectors[i], vectors[i] + 4);
        CHECK(memcmp(out, vectors[i] + 6, sizeof out) == 0);
    }
    CHECK(random_bits(0, 0, 0) == UINT64_C(0xe169c58d6627e8d5));
}

static void shuffles(void)
{
    uint64_t hash = FNV_START;
    for (size_t rows = 0; rows < 300; rows += 1 + rows / 2) {
        size_t *order = guarded(rows * sizeof *order), sum = 0;
        EXPECT(BP_OK, bp_shuffle(order, rows, 5, rows));
        for (size_t i = 0; i < rows; i++) {
            uint64_t index = order[i];
            hash = hash_numbers(hash, &index, 1, sizeof index);
            sum += order[i];
        }
        CHECK(rows == 0 || sum == rows * (rows - 1) / 2);
        release();
    }
    EXPECT(BP_NULL_POINTER, bp_shuffle(NULL, 1, 1, 1));
    EXPECT(BP_OK, bp_shuffle(NULL, 0, 1, 1));
    printf("any any shuffle %016" PRIx64 "\n", hash);
}

static bp_status count(size_t layers, const size_t *sizes, const int *activations, int loss)
{
    const bp_network net = {layers, sizes, activations, loss, 0, NULL};
    size_t parameters = 12345;
    bp_status status = bp_parameter_count(&net, &parameters);
    CHECK((status == BP_OK) == (parameters != 12345));
    return status;
}

static void bad_networks(void)
{
    const size_t sizes[] = {3, 4, 2}, empty[] = {3, 0, 2};
    const size_t large[] = {(size_t)1 << 31, (size_t)1 << 31, 2}, huge[] = {SIZE_MAX, SIZE_MAX, 1};
    const int good[] = {BP_TANH, BP_SIGMOID}, early[] = {BP_SOFTMAX, BP_SIGMOID};
    const int unknown[] = {BP_ACTIVATION_COUNT, BP_SIGMOID}, negative[] = {BP_TANH, -1};
    const int softmax[] = {BP_TANH, BP_SOFTMAX};
    const bp_network net = {2, sizes, good, BP_BCE, 0, NULL};
    size_t parameters;
    EXPECT(BP_OK, bp_parameter_count(&net, &parameters));
    CHECK(parameters == (3 * 4 + 4) + (4 * 2 + 2));
    EXPECT(BP_NULL_POINTER, bp_parameter_count(&net, NULL));
    EXPECT(BP_NULL_POINTER, bp_parameter_count(NULL, &parameters));
    EXPECT(BP_NULL_POINTER, count(2, NULL, good, BP_BCE));
    EXPECT(BP_NULL_POINTER, count(2, sizes, NULL, BP_BCE));
    EXPECT(BP_BAD_NETWORK, count(0, sizes, good, BP_BCE));
    EXPECT(BP_BAD_NETWORK, count(SIZE_MAX, sizes, good, BP_BCE));
    EXPECT(BP_BAD_NETWORK, count(2, empty, good, BP_BCE));
    EXPECT(BP_BAD_NETWORK, count(2, sizes, early, BP_BCE));
    EXPECT(BP_BAD_NETWORK, count(2, sizes, unknown, BP_BCE));
    EXPECT(BP_BAD_NETWORK, count(2, sizes, negative, BP_BCE));
    EXPECT(BP_BAD_NETWORK, count(2, sizes, good, -1));
    EXPECT(BP_BAD_NETWORK, count(2, sizes, good, BP_LOSS_COUNT));
    EXPECT(BP_BAD_PAIR, count(2, sizes, good, BP_CROSS_ENTROPY));
    EXPECT(BP_BAD_PAIR, count(2, sizes, softmax, BP_BCE));
    EXPECT(BP_TOO_LARGE, count(2, large, good, BP_BCE));
    EXPECT(BP_TOO_LARGE, count(2, huge, good, BP_BCE));
}

static bp_status count_with(int loss, double loss_parameter, const double *dropout)
{
    const size_t sizes[] = {3, 4, 5, 2};
    const int activations[] = {BP_GELU, BP_SILU, BP_EXP};
    const bp_network net = {3, sizes, activations, loss, loss_parameter, dropout};
    size_t parameters;
    return bp_parameter_count(&net, &parameters);
}

static void bad_numbers(void)
{
    const double infinity = 1e308 * 10, not_a_number = infinity - infinity;
    const double good[] = {0.5, 0}, negative[] = {0.5, -0.1}, all[] = {1, 0};
    const double unknown[] = {not_a_number, 0};
    const double bad[] = {0, -1, infinity, -infinity, not_a_number};
    EXPECT(BP_OK, count_with(BP_POISSON, 0, good));
    EXPECT(BP_BAD_ARGUMENT, count_with(BP_POISSON, 0, negative));
    EXPECT(BP_BAD_ARGUMENT, count_with(BP_POISSON, 0, all));
    EXPECT(BP_BAD_ARGUMENT, count_with(BP_POISSON, 0, unknown));
    for (int i = 0; i < 5; i++) {
        EXPECT(BP_BAD_ARGUMENT, count_with(BP_HUBER, bad[i], NULL));
        EXPECT(BP_BAD_ARGUMENT, count_with(BP_QUANTILE, bad[i], NULL));
        EXPECT(BP_OK, count_with(BP_MAE, bad[i], NULL));
    }
    EXPECT(BP_BAD_ARGUMENT, count_with(BP_QUANTILE, 1, NULL));
    EXPECT(BP_OK, count_with(BP_QUANTILE, 0.5, good));
    EXPECT(BP_OK, count_with(BP_HUBER, 1, good));
    EXPECT(BP_BAD_PAIR, count_with(BP_BCE, 0, NULL));
    CHECK(bp_moment_count(-1) == 0 && bp_moment_count(BP_OPTIMIZER_COUNT) == 0);
    CHECK(bp_moment_count(BP_SGD) == 0 && bp_moment_count(BP_ADAM) == 2);
}

static void bad_sparse_rows(void)
{
    const size_t good[] = {0, 2, 2, 3}, late[] = {1, 2, 2, 3}, back[] = {0, 3, 2, 3};
    const size_t none[] = {0, 0, 0, 0};
    const uint32_t columns[] = {0, 4, 2}, twice[] = {4, 4, 2}, falling[] = {4, 0, 2};
    const size_t sizes[] = {4, 2};
    const int sigmoid[] = {BP_SIGMOID};
    const bp_network net = {1, sizes, sigmoid, BP_BCE, 0, NULL};
    size_t most = 12345;
    EXPECT(BP_NULL_POINTER, bp_check_csr(3, 5, NULL, columns, &most));
    EXPECT(BP_NULL_POINTER, bp_check_csr(3, 5, good, NULL, &most));
    EXPECT(BP_NULL_POINTER, bp_check_csr(3, 5, good, columns, NULL));
    EXPECT(BP_BAD_SPARSE, bp_check_csr(3, 5, late, columns, &most));
    EXPECT(BP_BAD_SPARSE, bp_check_csr(3, 5, back, columns, &most));
    EXPECT(BP_BAD_SPARSE, bp_check_csr(3, 5, good, twice, &most));
    EXPECT(BP_BAD_SPARSE, bp_check_csr(3, 5, good, falling, &most));
    EXPECT(BP_BAD_SPARSE, bp_check_csr(3, 4, good, columns, &most));
    CHECK(most == 12345);
    EXPECT(BP_OK, bp_check_csr(3, 5, good, columns, &most));
    CHECK(most == 2);
    EXPECT(BP_OK, bp_check_csr(3, 5, none, NULL, &most));
    CHECK(most == 1);
    EXPECT(BP_OK, bp_check_csr(0, 5, none, NULL, &most));
    CHECK(bp_sparse_pays(&net, 6, 3) && !bp_sparse_pays(&net, 7, 3));
}

static void names_and_messages(void)
{
    for (int i = 0; i < BP_STATUS_COUNT; i++) {
        const char *message = bp_status_message((bp_status)i);
        CHECK(message && *message);
        for (int j = 0; j < i; j++) CHECK(strcmp(message, bp_status_message((bp_status)j)) != 0);
    }
    CHECK(strcmp(bp_status_message(BP_STATUS_COUNT), "unknown status") == 0);
    CHECK(strcmp(bp_status_message((bp_status)-1), "unknown status") == 0);
    CHECK(strcmp(bp_isa_name(BP_ISA_DEFAULT), "default") == 0);
    CHECK(strcmp(bp_isa_name(BP_NEON), "neon") == 0);
    CHECK(strcmp(bp_isa_name(BP_ISA_COUNT), "unknown") == 0);
    CHECK(strcmp(bp_isa_name((bp_isa)-1), "unknown") == 0);
    CHECK(bp_isa_available(BP_GENERIC) && bp_isa_available(bp_isa_best()));
    CHECK(!bp_isa_available(BP_ISA_COUNT) && !bp_isa_available((bp_isa)-1));
    CHECK(!(bp_isa_available(BP_AVX2) && bp_isa_available(BP_NEON)));
}

/* ---- Every instruction set ------------------------------------------------------------------- */

static uint64_t result(const bp_execution *how, int precision, int what)
{
    if (what == SUBJECT_COUNT - 1)
        return precision == 32 ? optimizers_f32(how) : optimizers_f64(how);
    return precision == 32 ? result_f32(how, what) : result_f64(how, what);
}

typedef struct {
    size_t threads, work;
    guard_side side;
} way;

typedef struct {
    const char *argument;
    int best_alone;    /* the best instruction set, and no other */
    int subject_count; /* the first ones alone */
    int way_count;
    way ways[3];
} plan;

static const plan PLANS[] = {
    /* One thread on both sides of a guard, and two that share the larger pieces: a call creates its
     * threads anew. */
    {"all",
     0,
     SUBJECT_COUNT,
     3,
     {{1, 1, GUARD_BEFORE}, {1, 1, GUARD_BEHIND}, {2, 20000, GUARD_BEHIND}}},
    /* One thread and two, one on each side of a guard. */
    {"once", 0, SUBJECT_COUNT, 2, {{1, 1, GUARD_BEFORE}, {2, 20000, GUARD_BEHIND}}},
    /* Several threads alone; two and three share whatever there is. */
    {"shared",
     1,
     SUBJECT_COUNT,
     3,
     {{2, 1, GUARD_BEHIND}, {3, 1, GUARD_BEFORE}, {7, 1000, GUARD_BEHIND}}},
    /* Kernels, dense and sparse passes and dense training; from there on it takes long. */
    {"brief", 1, 9, 1, {{1, 1, GUARD_BEHIND}}},
    /* Two threads share one size of blocks. */
    {"single", 0, SUBJECT_COUNT, 1, {{2, 20000, GUARD_BEHIND}}},
};
#define PLAN_COUNT 5

/* The same bits in all ways. Small batches share many small pieces, which takes long where
 * threads outnumber CPUs: they are shared by two threads. */
static uint64_t result_of_all(const plan *p, bp_isa isa, int precision, int what)
{
    const int small_pieces =
        strstr(SUBJECTS[what], "mini_batches") || strstr(SUBJECTS[what], "optimizers");
    uint64_t first = 0;
    for (int i = 0; i < p->way_count; i++) {
        const way *w = &p->ways[i];
        const bp_execution how = {.isa = isa, .threads = w->threads, .thread_work = w->work};
        if (small_pieces && i > 0 && w->threads > 1) continue;
        side = w->side;
        uint64_t hash = result(&how, precision, what);
        if (i == 0) first = hash;
        CHECK(hash == first);
    }
    return first;
}

/* The same bits from every instruction set that fuses. The generic one does where the CPU has
 * another one besides, but in WebAssembly, where fused arithmetic is no plain C. */
static void results(const plan *p, int precision, int spoil)
{
    for (int what = 0; what < p->subject_count; what++) {
        uint64_t first = 0;
        for (int isa = BP_ISA_DEFAULT + 1; isa < BP_ISA_COUNT; isa++) {
            if (!bp_isa_available((bp_isa)isa)) continue;
            if (p->best_alone && isa != (int)bp_isa_best()) continue;
            uint64_t hash = result_of_all(p, (bp_isa)isa, precision, what);
            hash ^= (uint64_t)(spoil && isa != BP_GENERIC);
            const int fuses = !(ARCH_WASM && isa == BP_GENERIC);
            if (first && fuses) CHECK(hash == first);
            if (fuses) first = hash;
            printf("%s f%d %s %016" PRIx64 "\n", bp_isa_name((bp_isa)isa), precision,
                   SUBJECTS[what], hash);
        }
    }
}

/* ---- Broken laws ----------------------------------------------------------------------------- */

/* Every share of the work changes the same number. */
static void racy_share(void *context, bp_share share)
{
    size_t *sum = context;
    *sum += share.number + share.count;
}

static int race(void)
{
    size_t sum = 0;
    bp_team team;
    bp_team_start(&team, 4);
    for (int round = 0; round < 100; round++) bp_team_run(&team, racy_share, &sum, 1000);
    bp_team_stop(&team);
    return sum == 0;
}

static const char *const MISUSES[] = {"overflow", "unwritten", "leak", "next-array"};

/* What is seen by who watches ordinary memory. */
static int misuse(const char *law)
{
    volatile size_t bytes = 80;
    volatile char *block = malloc(bytes);
    if (!block) abort();
    if (strcmp(law, "next-array") == 0) {
        arena a = arena_in(workspace(1024));
        volatile char *array = arena_take(&a, bytes, 1), *next = arena_take(&a, bytes, 1);
        array[bytes] = next[0] = 1;
        release();
    }
    if (strcmp(law, "overflow") == 0) block[bytes] = 1;
    if (strcmp(law, "unwritten") == 0 && block[7] == 7) passed++;
    if (strcmp(law, "leak") != 0) free((void *)(uintptr_t)block);
    return 0;
}

static void break_the_law(const char *law)
{
    side = strcmp(law, "under-read") == 0 ? GUARD_BEFORE : GUARD_BEHIND;
    volatile float *x = guarded(12);
    if (strcmp(law, "over-read") == 0) x[0] = x[3];
    if (strcmp(law, "under-read") == 0) x[0] = x[-1];
    if (strcmp(law, "over-write") == 0) x[3] = 0;
    if (strcmp(law, "write-input") == 0) {
        freeze();
        x[1] = 0;
    }
    release();
}

static const plan *plan_of(const char *argument)
{
    for (int i = 0; i < PLAN_COUNT; i++)
        if (strcmp(argument, PLANS[i].argument) == 0) return &PLANS[i];
    return &PLANS[0];
}

int main(int argc, char **argv)
{
    const char *argument = argc > 1 ? argv[1] : "";
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* What was found is said, however this ends. */
    if (strcmp(argument, "race") == 0) return race();
    for (int i = 0; i < 4; i++)
        if (strcmp(argument, MISUSES[i]) == 0) return misuse(argument);
    break_the_law(argument);
    known_answers();
    shuffles();
    bad_networks();
    bad_numbers();
    names_and_messages();
    bad_sparse_rows();
    refuse_f32();
    refuse_f64();
    refuse_second_order_f32();
    refuse_second_order_f64();
    refuse_sparse_f32();
    refuse_sparse_f64();
    refuse_rules_f32();
    refuse_rules_f64();
    for (int i = 0; i < BP_STATUS_COUNT; i++) CHECK(reached[i]);
    const int mismatch = strcmp(argument, "mismatch") == 0;
    const plan *chosen = plan_of(mismatch ? "single" : argument);
    for (int precision = 32; precision <= 64; precision += 32)
        if (argc < 3 || atoi(argv[2]) == precision) results(chosen, precision, mismatch);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
