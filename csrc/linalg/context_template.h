/* context_template.h: what computes in one call, and how work is shared among its threads.
 * Parameter: BITS.
 *
 * The templates of linalg, nn and api are instantiated in api/api_f32.c and api/api_f64.c, one
 * precision each, which define BITS: each is included once there, by whoever needs it.
 */
#pragma once

#include "../base/arena.h"
#include "../base/compiler.h"
#include "../base/precision.h"
#include "../base/sizes.h"
#include "../base/threads.h"
#include "../kernels/kernels.h"

/* Bytes that a cache fetches together, on every CPU that has a table of its own here. */
#define CACHE_LINE ((size_t)64)

/* Multiply-adds in float for which one more thread is created: about a quarter of a millisecond,
 * twice what creating and joining it costs. */
#define THREAD_WORK ((size_t)16000000)

/* Multiply-adds below which work is not shared: about a microsecond, a few times what it takes to
 * tell a helper that spins and to hear that it has finished (0.1 microseconds, both ways). */
#define SHARED_WORK ((size_t)50000)

/* Shares of a thread in a long product: one that has half a core does about half of its own. And the
 * multiply-adds of a share at least, about 20 microseconds: a product's panels are packed anew for
 * each, and to take one from another thread's cache costs up to 0.3. */
#define SHARES ((size_t)4)
#define SHARE_WORK ((size_t)1000000)

/* The most threads that a call may use. */
static inline size_t execution_threads(const bp_execution *how)
{
    return how->threads == 0 ? 1 : size_min(how->threads, MAX_THREADS);
}

/* A threshold of work, or less where the caller asks for threads in shorter work. */
static inline size_t work_limit(const bp_execution *how, size_t limit)
{
    return how->thread_work ? size_min(how->thread_work, limit) : limit;
}

/* The threads that so many multiply-adds are worth. In double each takes twice as long. */
static size_t NAME(threads_for)(const bp_execution *how, size_t work)
{
    const size_t each = how->thread_work ? how->thread_work : THREAD_WORK;
    const size_t worth = size_product(work, sizeof(real) / sizeof(float)) / each;
    return size_max(1, size_min(execution_threads(how), worth));
}

/* Scratch of so many elements for each thread. */
static real *NAME(take_scratch)(arena *a, const bp_execution *how, size_t share)
{
    return arena_take(a, size_product(share, execution_threads(how)), sizeof(real));
}

/* The kernels, the threads and the scratch memory of one call. */
typedef struct NAME(context) {
    bp_team team;
    const NAME(bp_kernels) *kernels;
    real *scratch;        /* [shares, scratch_share]: each thread has its own */
    size_t scratch_share; /* whole cache lines, so that threads do not write to the same one */
    size_t shared_work;   /* multiply-adds from which a piece of work is shared */
} NAME(context);

/* Begins a call with so many threads; it stays where it is until it is closed. */
static void NAME(open_context)(NAME(context) *context, const NAME(bp_kernels) *kernels,
                               const bp_execution *how, size_t threads, real *scratch,
                               size_t scratch_share)
{
    context->kernels = kernels;
    context->scratch = scratch;
    context->scratch_share = scratch_share;
    context->shared_work = work_limit(how, SHARED_WORK);
    bp_team_start(&context->team, threads);
}

/* How many shares of so many multiply-adds a thread gets. */
static inline size_t NAME(shares_of_thread)(const NAME(context) *context, size_t multiply_adds)
{
    const size_t worth = multiply_adds / SHARE_WORK / context->team.threads;
    return size_max(1, size_min(SHARES, worth));
}

static void NAME(close_context)(NAME(context) *context)
{
    bp_team_stop(&context->team);
}

/* Does every share of a piece of work; all by one thread where it is too short to be shared. */
static inline void NAME(run_shares)(NAME(context) *context, size_t multiply_adds,
                                    bp_team_work *work, void *job)
{
    if (multiply_adds < context->shared_work)
        work(job, WHOLE);
    else
        bp_team_run(&context->team, work, job,
                    NAME(shares_of_thread)(context, multiply_adds));
}
