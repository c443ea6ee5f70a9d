#include "worker/termination.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static atomic_bool came; /* lock-free, so a handler may set it */

static void note(int number)
{
    (void)number;
    atomic_store(&came, true);
}

void termination_catch(void)
{
    /* Without SA_RESTART: what waits is to look up. */
    struct sigaction action = {.sa_handler = note};
    (void)sigemptyset(&action.sa_mask);
    atomic_store(&came, false);
    (void)sigaction(SIGTERM, &action, NULL);
}

bool termination_came(void)
{
    return atomic_load(&came);
}

void termination_obey(void)
{
    (void)signal(SIGTERM, SIG_DFL);
    if (termination_came())
        (void)raise(SIGTERM);
}
