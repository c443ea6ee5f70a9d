/* Gossip: listens to the other workers' events, knows who is there, keeps the logical clock with theirs, and
 * holds elections among them (celery/worker/consumer/gossip.py).
 *
 * A neighbour is known by its name from its first event on, until it says that it leaves or is silent for two
 * of its heartbeats. What neighbours send is bounded: their number, their elections, what is kept of each.
 * One thread (the event loop's) owns it; nothing waits. */
#ifndef CELERYC_CONTROL_GOSSIP_H
#define CELERYC_CONTROL_GOSSIP_H

#include "celeryc/control/mailbox.h"

#include <ev.h>

#define GOSSIP_NEIGHBOURS_MOST 10000
#define GOSSIP_ELECTIONS_MOST 100
#define GOSSIP_CANDIDATES_MOST 1000 /* of one election */

struct gossip_options {
    struct mailbox *mailbox; /* on whose connection it listens; must outlive it */
    const struct control_worker *worker;
    struct ev_loop *loop;
    /* An election about a task was won: the signature (borrowed) is to be sent. */
    void (*call_task)(void *context, json_t *signature);
    void *context;
};

struct gossip *gossip_new(const struct gossip_options *options, struct error *error);
void gossip_free(struct gossip *gossip); /* NULL is allowed */

size_t gossip_neighbours(const struct gossip *gossip); /* how many are known to be there */

/* Takes part in an election and asks the others to: all candidates see the same, and the one whose claim is
 * the oldest does `action` (borrowed, or NULL). */
void gossip_hold_election(struct gossip *gossip, const char *id, const char *topic, json_t *action);

#endif
