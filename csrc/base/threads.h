/* threads.h: the threads of one call. They are created where the call begins and joined before it
 * returns, so nothing idles between calls and a process can fork whenever it likes.
 *
 * The caller runs share 0 of the work, its helpers shares 1, 2, ...  Between two pieces of work a
 * helper spins for some microseconds, then sleeps. What a share may do is the work's own affair:
 * here, shares divide outputs, never the terms of a sum.
 */
#pragma once

#include <stddef.h>

#include "compiler.h"

#if THREADS_WINDOWS
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
typedef HANDLE thread_handle;
typedef SRWLOCK thread_mutex;
typedef CONDITION_VARIABLE thread_condition;
#else
#include <pthread.h>
typedef pthread_t thread_handle;
typedef pthread_mutex_t thread_mutex;
typedef pthread_cond_t thread_condition;
#endif

/* More threads than this are never created: a team lives on its caller's stack. */
#define MAX_THREADS ((size_t)64)

/* Does share number `share` of `shares` of something that `argument` describes. */
typedef void bp_team_work(void *argument, size_t share, size_t shares);

struct bp_team;

typedef struct bp_team_helper {
    struct bp_team *team;
    size_t share;
    thread_handle thread;
} bp_team_helper;

typedef struct bp_team {
    size_t shares; /* the caller and its helpers */
    bp_team_work *work;
    void *argument;
    unsigned round;    /* which piece of work; atomic */
    unsigned pending;  /* helpers that have not finished it; atomic */
    unsigned sleepers; /* threads that sleep or are about to; atomic */
    thread_mutex mutex;
    thread_condition changed; /* a round began, or the last helper finished */
    bp_team_helper helpers[MAX_THREADS - 1];
} bp_team;

/* Creates up to threads - 1 helpers. Where the system gives fewer, the team is smaller. */
void bp_team_start(bp_team *team, size_t threads);

/* Runs every share of the work and returns when all are done. */
void bp_team_run(bp_team *team, bp_team_work *work, void *argument);

/* Ends the helpers and waits for them. */
void bp_team_stop(bp_team *team);

/* The part of `count` things that belongs to a share: *first and the number of them. Parts are
 * multiples of `step`, but for the last. */
static inline size_t share_of(size_t count, size_t step, size_t share, size_t shares, size_t *first)
{
    const size_t steps = (count + step - 1) / step;
    const size_t begin = (steps / shares) * share + (steps % shares) * share / shares;
    const size_t end = (steps / shares) * (share + 1) + (steps % shares) * (share + 1) / shares;
    *first = begin * step < count ? begin * step : count;
    return (end * step < count ? end * step : count) - *first;
}
