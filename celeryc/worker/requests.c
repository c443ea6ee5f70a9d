#include "celeryc/worker/requests.h"

#include "celeryc/message/task_message.h"
#include "celeryc/worker/hash.h"
#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256

bool requests_init(struct requests *requests, struct error *error)
{
    memset(requests, 0, sizeof *requests);
    requests->bucket_count = FIRST_SIZE;
    requests->buckets = calloc(requests->bucket_count, sizeof(struct request *));
    if (requests->buckets == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the table of requests");
    return true;
}

static void request_free(struct request *request)
{
    wire_message_clear(&request->wire);
    task_message_free(request->message);
    free(request->id);
    free(request->queue);
    free(request);
}

void requests_clear(struct requests *requests)
{
    for (size_t state = 0; state < REQUEST_STATES; state++) {
        while (requests->states[state].first != NULL)
            requests_remove(requests, requests->states[state].first);
    }
    free(requests->buckets);
    memset(requests, 0, sizeof *requests);
}

static struct request **bucket_of(const struct requests *requests, const char *id)
{
    return &requests->buckets[hash_text(id) & (requests->bucket_count - 1)];
}

/* Chains are short at a load of at most one; when memory for more buckets is out, they get longer and nothing
 * else. */
static void grow(struct requests *requests)
{
    size_t before = requests->bucket_count;
    struct request **old = requests->buckets, **more = calloc(2 * before, sizeof(struct request *));
    if (more == NULL)
        return;
    requests->buckets = more;
    requests->bucket_count = 2 * before;
    for (size_t i = 0; i < before; i++) {
        struct request *request = old[i];
        while (request != NULL) {
            struct request *next = request->same_hash;
            struct request **bucket = bucket_of(requests, request->id);
            request->same_hash = *bucket;
            *bucket = request;
            request = next;
        }
    }
    free(old);
}

static void append(struct request_list *list, struct request *request)
{
    request->previous = list->last;
    request->next = NULL;
    if (list->last != NULL)
        list->last->next = request;
    else
        list->first = request;
    list->last = request;
    list->count++;
    request->list = list;
}

static void insert_before(struct request_list *list, struct request *request, struct request *later)
{
    if (later == NULL) {
        append(list, request);
        return;
    }
    request->next = later;
    request->previous = later->previous;
    if (later->previous != NULL)
        later->previous->next = request;
    else
        list->first = request;
    later->previous = request;
    list->count++;
    request->list = list;
}

static void take_out(struct request *request)
{
    struct request_list *list = request->list;
    if (request->previous != NULL)
        request->previous->next = request->next;
    else
        list->first = request->next;
    if (request->next != NULL)
        request->next->previous = request->previous;
    else
        list->last = request->previous;
    list->count--;
}

struct request *requests_add(struct requests *requests, struct wire_message *wire,
                             struct task_message *message)
{
    struct request *request = calloc(1, sizeof *request);
    char *id = strdup(message->id);
    if (request == NULL || id == NULL) {
        free(request);
        free(id);
        return NULL;
    }
    request->id = id;
    request->wire = *wire;
    wire_message_init(wire);
    request->message = message;
    request->received = clock_wall();
    request->state = REQUEST_WAITING;
    if (requests->count >= requests->bucket_count)
        grow(requests);
    struct request **bucket = bucket_of(requests, id);
    request->same_hash = *bucket;
    *bucket = request;
    append(&requests->states[REQUEST_WAITING], request);
    requests->count++;
    return request;
}

void requests_remove(struct requests *requests, struct request *request)
{
    struct request **link = bucket_of(requests, request->id);
    while (*link != request)
        link = &(*link)->same_hash;
    *link = request->same_hash;
    take_out(request);
    requests->count--;
    request_free(request);
}

void requests_move(struct requests *requests, struct request *request, enum request_state state)
{
    take_out(request);
    request->state = state;
    append(&requests->states[state], request);
}

void requests_move_back(struct requests *requests, struct request *request, enum request_state state)
{
    struct request_list *list = &requests->states[state];
    take_out(request);
    request->state = state;
    struct request *later = list->first;
    while (later != NULL && later->received <= request->received)
        later = later->next;
    insert_before(list, request, later);
}

struct request *requests_find(const struct requests *requests, const char *id, const struct request *previous)
{
    struct request *request = previous ? previous->same_hash : *bucket_of(requests, id);
    while (request != NULL && strcmp(request->id, id) != 0)
        request = request->same_hash;
    return request;
}
