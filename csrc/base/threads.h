/* threads.h: the threads of one call. They are created where the call begins and joined before it
 * returns, so nothing idles between calls and a process can fork whenever it likes.
 *
 * Work is cut into shares, some for each thread, which begins with its own and then takes those that
 * others have not begun: whoever shares its core with another program, or wakes late, costs what it
 * has in hand and no more. Between two pieces of work a helper spins for some microseconds, then
 * sleeps. What a share may do is the work's own affair: here, shares divide outputs, never the terms
 * of a sum.
 */
#pragma once

#include <stddef.h>

#include "compiler.h"

#if THREADS_NONE
typedef int thread_handle, thread_mutex, thread_condition;
#elif THREADS_WINDOWS
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

/* Share number `number` of `count`, on thread number `thread`, whose scratch memory it may use. */
typedef struct bp_share {
    size_t number, count, thread;
} bp_share;

/* All of it, on the caller's thread. */
static const bp_share WHOLE = {0, 1, 0};

/* Does a share of something that `argument` describes. */
typedef void bp_team_work(void *argument, bp_share share);

struct bp_team;

typedef struct bp_team_helper {
    struct bp_team *team;
    size_t number; /* of the thread; the caller is thread 0 */
    thread_handle thread;
} bp_team_helper;

/* How many of a thread's shares are taken, atomic; alone in its cache line. */
typedef struct bp_team_shares {
    unsigned taken;
    char line[60];
} bp_team_shares;

typedef struct bp_team {
    size_t threads; /* the caller and its helpers */
    bp_team_work *work;
    void *argument;
    unsigned each;     /* shares of a thread */
    unsigned round;    /* odd while a piece of work is open to helpers; atomic */
    unsigned inside;   /* helpers that may be at work; atomic */
    unsigned sleepers; /* threads that sleep or are about to; atomic */
    thread_mutex mutex;
    thread_condition changed; /* a round began, or the last helper has left */
    bp_team_shares shares[MAX_THREADS];
    bp_team_helper helpers[MAX_THREADS - 1];
} bp_team;

/* Creates up to threads - 1 helpers. Where the system gives fewer, the team is smaller. */
void bp_team_start(bp_team *team, size_t threads);

/* Runs every share of the work, `each` for each thread, and returns when all are done. */
void bp_team_run(bp_team *team, bp_team_work *work, void *argument, size_t each);

/* Ends the helpers and waits for them. */
void bp_team_stop(bp_team *team);

/* The part of `count` things that belongs to a share: *first and the number of them. Parts are
 * multiples of `step`, but for the last. */
static inline size_t share_of(size_t count, size_t step, bp_share share, size_t *first)
{
    const size_t steps = (count + step - 1) / step, all = share.count, number = share.number;
    const size_t begin = (steps / all) * number + (steps % all) * number / all;
    const size_t end = (steps / all) * (number + 1) + (steps % all) * (number + 1) / all;
    *first = begin * step < count ? begin * step : count;
    return (end * step < count ? end * step : count) - *first;
}
