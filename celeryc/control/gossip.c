#include "celeryc/control/gossip.h"

#include "celeryc/events/dispatcher.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/uuid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXCHANGE "celeryev"
#define QUEUE_EXPIRES 60000    /* milliseconds, as every queue of events (event_queue_expires) */
#define QUEUE_MESSAGE_TTL 5000 /* event_queue_ttl */
#define LOOK_EVERY 5.0         /* seconds between two looks for who is silent */
#define BEATS_MISSED 2.0       /* celery/events/state.py HEARTBEAT_EXPIRE_WINDOW, 200 % */
#define FREQ 60.0              /* of a neighbour that does not say */
#define FREQ_MOST 3600.0
#define EVENT_MOST ((size_t)1024 * 1024) /* bytes of an event that is looked at */
#define NAME_MOST 512
#define CLAIM "%.512s.%lld"

struct gossip {
    struct gossip_options options;
    char queue[UUID_SIZE + sizeof EXCHANGE + 1];
    ev_timer look;
    json_t *neighbours; /* {hostname: clock_wall() when it counts as lost} */
    /* {id: {"candidates": [[clock, "host.pid", topic, action]], "seen": how many say so, or null where this
     * worker was not asked to hold the election}} */
    json_t *elections;
};

/* ---- who is there ---- */

size_t gossip_neighbours(const struct gossip *gossip)
{
    return json_object_size(gossip->neighbours);
}

static void leave(struct gossip *gossip, const char *hostname)
{
    log_debug("%s left", hostname);
    (void)json_object_del(gossip->neighbours, hostname);
}

static void note_neighbour(struct gossip *gossip, const char *hostname, const char *type, const json_t *event)
{
    const json_t *freq = json_object_get(event, "freq");
    double every = json_is_number(freq) ? json_number_value(freq) : FREQ;
    if (strcmp(type, "worker-offline") == 0) {
        leave(gossip, hostname);
        return;
    }
    bool known = json_object_get(gossip->neighbours, hostname) != NULL;
    if (!known && json_object_size(gossip->neighbours) >= GOSSIP_NEIGHBOURS_MOST)
        return;
    every = every > 0 && every <= FREQ_MOST ? every : FREQ_MOST;
    (void)json_object_set_new(gossip->neighbours, hostname, json_real(clock_wall() + every * BEATS_MISSED));
    if (!known || strcmp(type, "worker-online") == 0)
        log_debug("%s joined the party", hostname);
}

static bool is_alive(const json_t *expires)
{
    return clock_wall() < json_number_value(expires);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct gossip *gossip = timer->data;
    const char *hostname;
    json_t *expires;
    void *next;
    json_object_foreach_safe(gossip->neighbours, next, hostname, expires)
    {
        if (is_alive(expires))
            continue;
        log_info("missed heartbeat from %s", hostname);
        (void)json_object_del(gossip->neighbours, hostname);
    }
}

static size_t count_alive(const struct gossip *gossip)
{
    size_t count = 0;
    const char *hostname;
    json_t *expires;
    json_object_foreach(gossip->neighbours, hostname, expires)
    {
        count += is_alive(expires);
    }
    return count;
}

/* ---- elections ---- */

static json_t *election_of(struct gossip *gossip, const char *id)
{
    json_t *election = json_object_get(gossip->elections, id);
    if (election != NULL)
        return election;
    while (json_object_size(gossip->elections) >= GOSSIP_ELECTIONS_MOST) /* nobody ended them */
        (void)json_object_del(gossip->elections, json_object_iter_key(json_object_iter(gossip->elections)));
    (void)json_object_set_new(gossip->elections, id, json_pack("{s:[], s:n}", "candidates", "seen"));
    return json_object_get(gossip->elections, id);
}

void gossip_hold_election(struct gossip *gossip, const char *id, const char *topic, json_t *action)
{
    json_t *election = id != NULL ? election_of(gossip, id) : NULL;
    if (election == NULL)
        return;
    (void)json_object_set_new(election, "seen", json_integer(0));
    events_worker_elect(gossip->options.worker->events, id, topic, action);
}

/* Somebody, this worker too, is a candidate. */
static void on_elect(struct gossip *gossip, const json_t *event, const char *hostname)
{
    const char *id = json_string_value(json_object_get(event, "id"));
    const char *topic = json_string_value(json_object_get(event, "topic"));
    const json_t *clock = json_object_get(event, "clock"), *pid = json_object_get(event, "pid");
    json_t *action = json_object_get(event, "action");
    char name[NAME_MOST + 32];
    if (id == NULL || topic == NULL || !json_is_integer(clock) || !json_is_integer(pid)) {
        log_error("election request missing field");
        return;
    }
    json_t *candidates = json_object_get(election_of(gossip, id), "candidates");
    snprintf(name, sizeof name, CLAIM, hostname, (long long)json_integer_value(pid));
    if (json_array_size(candidates) < GOSSIP_CANDIDATES_MOST)
        (void)json_array_append_new(candidates, json_pack("[O, s, s, O?]", clock, name, topic, action));
    events_worker_elect_seen(gossip->options.worker->events, id);
}

/* The one whose claim is the oldest; among the equally old the first by name (kombu/clocks.py sort_heap). */
static json_t *leader_of(const json_t *candidates)
{
    json_t *leader = NULL, *candidate;
    size_t index;
    json_array_foreach((json_t *)candidates, index, candidate)
    {
        json_int_t mine = json_integer_value(json_array_get(candidate, 0));
        json_int_t best = json_integer_value(json_array_get(leader, 0));
        const char *name = json_string_value(json_array_get(candidate, 1));
        if (leader == NULL || mine < best ||
            (mine == best && strcmp(name, json_string_value(json_array_get(leader, 1))) < 0))
            leader = candidate;
    }
    return leader;
}

static void lead(struct gossip *gossip, const char *id, json_t *leader)
{
    const char *topic = json_string_value(json_array_get(leader, 2));
    log_info("I won the election '%s'", id);
    if (strcmp(topic, "task") == 0)
        gossip->options.call_task(gossip->options.context, json_array_get(leader, 3));
    else
        log_error("Unknown election topic '%.64s'", topic);
}

/* Somebody has seen a candidate. When all have seen one, the candidates are known to all. */
static void on_elect_seen(struct gossip *gossip, const json_t *event)
{
    char name[NAME_MOST + 32];
    const char *id = json_string_value(json_object_get(event, "id"));
    json_t *election = id != NULL ? json_object_get(gossip->elections, id) : NULL;
    const json_t *seen = json_object_get(election, "seen");
    if (!json_is_integer(seen))
        return; /* not for us */
    json_int_t count = json_integer_value(seen) + 1;
    (void)json_object_set_new(election, "seen", json_integer(count));
    if ((size_t)count < count_alive(gossip))
        return;
    json_t *leader = leader_of(json_object_get(election, "candidates"));
    if (leader == NULL)
        return; /* its own claim is still on its way */
    snprintf(name, sizeof name, CLAIM, gossip->options.worker->hostname, (long long)getpid());
    json_incref(election);
    (void)json_object_del(gossip->elections, id);
    if (strcmp(name, json_string_value(json_array_get(leader, 1))) == 0)
        lead(gossip, id, leader);
    else
        log_info("node %s elected for '%s'", json_string_value(json_array_get(leader, 1)), id);
    json_decref(election);
}

/* ---- events ---- */

static void take_event(struct gossip *gossip, const json_t *event, const struct wire_message *message)
{
    const struct control_worker *worker = gossip->options.worker;
    const char *type = json_string_value(json_object_get(event, "type"));
    const char *hostname = json_string_value(json_object_get(message->headers, "hostname"));
    const json_t *clock = json_object_get(event, "clock");
    if (hostname == NULL)
        hostname = json_string_value(json_object_get(event, "hostname"));
    if (type == NULL || strncmp(type, "worker-", 7) != 0 || hostname == NULL || strlen(hostname) > NAME_MOST)
        return;
    if (strncmp(type, "worker-elect", 12) == 0 && json_is_integer(clock))
        lamport_adjust(worker->clock, json_integer_value(clock)); /* later claims are said to be later */
    if (strcmp(type, "worker-elect") == 0) {
        on_elect(gossip, event, hostname);
        return;
    }
    if (strcmp(type, "worker-elect-ack") == 0) {
        on_elect_seen(gossip, event);
        return;
    }
    if (strcmp(hostname, worker->hostname) == 0 || !json_is_integer(clock))
        (void)lamport_forward(worker->clock);
    else
        lamport_adjust(worker->clock, json_integer_value(clock));
    if (strcmp(hostname, worker->hostname) != 0)
        note_neighbour(gossip, hostname, type, event);
}

static void on_event(void *context, const struct wire_message *message)
{
    if (message->body == NULL || message->body_size > EVENT_MOST)
        return;
    json_t *event = json_loadb(message->body, message->body_size, JSON_ALLOW_NUL, NULL);
    if (json_is_object(event))
        take_event(context, event, message);
    json_decref(event);
}

/* ---- life cycle ---- */

static bool listen_to_events(struct gossip *gossip, struct error *error)
{
    json_t *arguments =
        json_pack("{s:i, s:i}", "x-expires", QUEUE_EXPIRES, "x-message-ttl", QUEUE_MESSAGE_TTL);
    const struct queue_spec events = {.name = gossip->queue,
                                      .exchange = EXCHANGE,
                                      .exchange_type = "topic",
                                      .routing_key = "worker.#",
                                      .exclusive = true,
                                      .auto_delete = true,
                                      .exchange_durable = true,
                                      .no_ack = true,
                                      .arguments = arguments};
    const struct mailbox_listener listener = {.heard = on_event, .context = gossip};
    bool listens = mailbox_listen(gossip->options.mailbox, &events, &listener, error);
    json_decref(arguments);
    return listens;
}

struct gossip *gossip_new(const struct gossip_options *options, struct error *error)
{
    char unique[UUID_SIZE];
    struct gossip *gossip = calloc(1, sizeof *gossip);
    if (gossip == NULL) {
        error_set(error, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    gossip->options = *options;
    gossip->neighbours = json_object();
    gossip->elections = json_object();
    uuid_make(unique);
    snprintf(gossip->queue, sizeof gossip->queue, EXCHANGE ".%s", unique);
    ev_timer_init(&gossip->look, on_look, LOOK_EVERY, LOOK_EVERY);
    gossip->look.data = gossip;
    ev_timer_start(options->loop, &gossip->look);
    if (listen_to_events(gossip, error))
        return gossip;
    gossip_free(gossip);
    return NULL;
}

void gossip_free(struct gossip *gossip)
{
    if (gossip == NULL)
        return;
    ev_timer_stop(gossip->options.loop, &gossip->look);
    json_decref(gossip->neighbours);
    json_decref(gossip->elections);
    free(gossip);
}
