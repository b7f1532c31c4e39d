/* threads_none.c: teams of one, where a program has one thread. */
#include "threads.h"
#if THREADS_NONE

void bp_team_start(bp_team *team, size_t threads)
{
    (void)threads;
    team->threads = 1;
}

void bp_team_run(bp_team *team, bp_team_work *work, void *argument, size_t each)
{
    (void)team;
    (void)each;
    work(argument, WHOLE);
}

void bp_team_stop(bp_team *team)
{
    (void)team;
}

#endif
