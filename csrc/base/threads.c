/* threads.c: helpers that live for one call, over POSIX or Windows threads.
 *
 * Rounds and counts are sequentially consistent atomics. Whoever is about to sleep says so first
 * (sleepers) and looks again; whoever changes something looks for sleepers afterwards. In one total
 * order of the two, no wake-up is lost, and a team that never sleeps never locks.
 */
#define _POSIX_C_SOURCE 200809L /* signal masks */

#include "threads.h"
#if !THREADS_NONE

#if !THREADS_WINDOWS
#include <signal.h>
#include <time.h>
#endif

/* Longer than most waits between two products of a step, shorter than what another program would
 * notice. A clock counts it, since one pause takes 10 to 50 nanoseconds, as the processor likes. */
#define SPIN_NANOSECONDS 20000
#define PAUSES 16 /* between two looks at the clock, which take about as long as a pause or two */

#if THREADS_WINDOWS

static void sleep_until_changed(bp_team *team)
{
    SleepConditionVariableSRW(&team->changed, &team->mutex, INFINITE, 0);
}

static void lock(bp_team *team)
{
    AcquireSRWLockExclusive(&team->mutex);
}

static void unlock(bp_team *team)
{
    ReleaseSRWLockExclusive(&team->mutex);
}

static void wake(bp_team *team)
{
    WakeAllConditionVariable(&team->changed);
}

static double nanoseconds(void)
{
    LARGE_INTEGER ticks, ticks_a_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&ticks_a_second);
    return 1e9 * (double)ticks.QuadPart / (double)ticks_a_second.QuadPart;
}

#else

static void sleep_until_changed(bp_team *team)
{
    pthread_cond_wait(&team->changed, &team->mutex);
}

static void lock(bp_team *team)
{
    pthread_mutex_lock(&team->mutex);
}

static void unlock(bp_team *team)
{
    pthread_mutex_unlock(&team->mutex);
}

static void wake(bp_team *team)
{
    pthread_cond_broadcast(&team->changed);
}

static double nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

#endif

/* ---- Waiting -------------------------------------------------------------------------------- */

/* Is the wait over before it is worth a sleep? */
static int spin_while(unsigned *value, unsigned old, int equal)
{
    const double start = nanoseconds();
    do {
        for (int pause = 0; pause < PAUSES; pause++) {
            if ((ATOMIC_LOAD(value) == old) != equal) return 1;
            SPIN_PAUSE();
        }
    } while (nanoseconds() - start < SPIN_NANOSECONDS);
    return 0;
}

/* Returns when *value is no longer `old` (while_equal), or has become `old`. */
static void wait_for(bp_team *team, unsigned *value, unsigned old, int while_equal)
{
    if (spin_while(value, old, while_equal)) return;
    lock(team);
    ATOMIC_ADD(&team->sleepers, 1);
    while ((ATOMIC_LOAD(value) == old) == while_equal) sleep_until_changed(team);
    ATOMIC_ADD(&team->sleepers, -1);
    unlock(team);
}

static void wake_sleepers(bp_team *team)
{
    if (ATOMIC_LOAD(&team->sleepers) == 0) return;
    lock(team);
    wake(team);
    unlock(team);
}

/* ---- Helpers -------------------------------------------------------------------------------- */

/* Does shares until none is left that nobody has taken: a thread's own first, which are those that
 * it had of the work before, then those of others. */
static void take_shares(bp_team *team, size_t thread)
{
    const size_t all = team->threads * team->each;
    for (size_t i = 0; i < team->threads; i++) {
        const size_t owner = (thread + i) % team->threads;
        unsigned *taken = &team->shares[owner].taken;
        while (ATOMIC_LOAD(taken) < team->each) { /* To look takes no cache line from others. */
            const unsigned number = ATOMIC_ADD(taken, 1) - 1;
            if (number >= team->each) break;
            const bp_share share = {owner * team->each + number, all, thread};
            team->work(team->argument, share);
        }
    }
}

/* A helper enters, looks whether the round is still open, and works if it is; the caller closes it
 * and looks whether anybody is inside. In one total order of these four, either the helper sees the
 * end or the caller waits for it. So who wakes late is waited for by nobody. */
static void help(const bp_team_helper *helper)
{
    bp_team *team = helper->team;
    unsigned seen = 0;
    for (int ends = 0; !ends;) {
        wait_for(team, &team->round, seen, 1);
        seen = ATOMIC_LOAD(&team->round);
        if (seen % 2 == 0) continue;
        ATOMIC_ADD(&team->inside, 1);
        if (ATOMIC_LOAD(&team->round) == seen) {
            ends = !team->work;
            if (!ends) take_shares(team, helper->number);
        }
        if (ATOMIC_ADD(&team->inside, -1) == 0) wake_sleepers(team);
    }
}

#if THREADS_WINDOWS

static DWORD WINAPI begin(void *argument)
{
    help(argument);
    return 0;
}

static void prepare(bp_team *team)
{
    InitializeSRWLock(&team->mutex);
    InitializeConditionVariable(&team->changed);
}

static int create(bp_team_helper *helper)
{
    helper->thread = CreateThread(NULL, 0, begin, helper, 0, NULL);
    return helper->thread != NULL;
}

typedef int signal_mask;

static void block_signals(signal_mask *before)
{
    *before = 0;
}

static void restore_signals(const signal_mask *before)
{
    (void)before;
}

static void join(thread_handle helper)
{
    WaitForSingleObject(helper, INFINITE);
    CloseHandle(helper);
}

static void clean_up(bp_team *team)
{
    (void)team;
}

#else

static void *begin(void *argument)
{
    help(argument);
    return NULL;
}

static void prepare(bp_team *team)
{
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->changed, NULL);
}

static int create(bp_team_helper *helper)
{
    return pthread_create(&helper->thread, NULL, begin, helper) == 0;
}

/* Signals are for the threads that the program made itself: helpers inherit a mask without any. */
typedef sigset_t signal_mask;

static void block_signals(signal_mask *before)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

static void restore_signals(const signal_mask *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

static void join(thread_handle helper)
{
    pthread_join(helper, NULL);
}

static void clean_up(bp_team *team)
{
    pthread_cond_destroy(&team->changed);
    pthread_mutex_destroy(&team->mutex);
}

#endif

/* ---- Teams ---------------------------------------------------------------------------------- */

static void create_helpers(bp_team *team, size_t threads)
{
    signal_mask before;
    block_signals(&before);
    while (team->threads < threads) {
        bp_team_helper *helper = &team->helpers[team->threads - 1];
        helper->team = team;
        helper->number = team->threads;
        if (!create(helper)) break;
        team->threads++;
    }
    restore_signals(&before);
}

void bp_team_start(bp_team *team, size_t threads)
{
    team->threads = 1;
    team->round = team->inside = team->sleepers = 0;
    team->work = NULL;
    if (threads <= 1) return;
    prepare(team);
    create_helpers(team, threads < MAX_THREADS ? threads : MAX_THREADS);
    if (team->threads == 1) clean_up(team);
}

/* Opens a round; nobody is inside. */
static void begin_round(bp_team *team, bp_team_work *work, void *argument, size_t each)
{
    team->work = work;
    team->argument = argument;
    team->each = (unsigned)each;
    for (size_t i = 0; i < team->threads; i++) ATOMIC_STORE(&team->shares[i].taken, 0);
    ATOMIC_ADD(&team->round, 1);
    wake_sleepers(team);
}

void bp_team_run(bp_team *team, bp_team_work *work, void *argument, size_t each)
{
    if (team->threads == 1) {
        work(argument, WHOLE);
        return;
    }
    begin_round(team, work, argument, each);
    take_shares(team, 0);
    ATOMIC_ADD(&team->round, 1);
    wait_for(team, &team->inside, 0, 0);
}

void bp_team_stop(bp_team *team)
{
    if (team->threads == 1) return;
    begin_round(team, NULL, NULL, 0);
    for (size_t i = 0; i + 1 < team->threads; i++) join(team->helpers[i].thread);
    clean_up(team);
}

#endif
