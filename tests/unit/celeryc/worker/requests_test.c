#include "celeryc/message/task_message.h"
#include "celeryc/worker/requests.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static struct request *add(struct requests *requests, const char *id, int retries)
{
    struct wire_message wire;
    struct task_message *message = NULL;
    wire_message_init(&wire);
    wire.content_type = strdup("application/json");
    wire.content_encoding = strdup("utf-8");
    wire.body = strdup("[[], {}, {}]");
    wire.body_size = strlen(wire.body);
    wire.headers =
        json_pack("{s:s, s:s, s:s, s:i}", "lang", "py", "task", "demo.add", "id", id, "retries", retries);
    CU_ASSERT_EQUAL_FATAL(task_message_parse(&wire, &message, NULL), MESSAGE_GOOD);
    struct request *request = requests_add(requests, &wire, message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(request);
    CU_ASSERT_PTR_NULL(wire.body);
    return request;
}

static void a_request_is_found_by_its_id(void)
{
    struct requests requests;
    CU_ASSERT_TRUE_FATAL(requests_init(&requests, NULL));
    char id[32];
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(id, sizeof id, "task-%d", i);
        add(&requests, id, 0);
    }
    CU_ASSERT_EQUAL(requests.count, 3000);
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(id, sizeof id, "task-%d", i);
        struct request *request = requests_find(&requests, id, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(request);
        CU_ASSERT_STRING_EQUAL(request->id, id);
        CU_ASSERT_PTR_NULL(requests_find(&requests, id, request));
    }
    CU_ASSERT_PTR_NULL(requests_find(&requests, "task-3000", NULL));
    requests_clear(&requests);
}

static void two_requests_may_have_one_id(void)
{
    struct requests requests;
    CU_ASSERT_TRUE_FATAL(requests_init(&requests, NULL));
    struct request *first = add(&requests, "same", 0), *second = add(&requests, "same", 1);
    struct request *found = requests_find(&requests, "same", NULL),
                   *next = requests_find(&requests, "same", found);
    CU_ASSERT_TRUE((found == first && next == second) || (found == second && next == first));
    CU_ASSERT_PTR_NULL(requests_find(&requests, "same", next));
    requests_remove(&requests, first);
    CU_ASSERT_PTR_EQUAL(requests_find(&requests, "same", NULL), second);
    CU_ASSERT_EQUAL(second->message->retries, 1);
    requests_clear(&requests);
}

static void a_request_is_in_the_list_of_its_state(void)
{
    struct requests requests;
    CU_ASSERT_TRUE_FATAL(requests_init(&requests, NULL));
    struct request *a = add(&requests, "a", 0), *b = add(&requests, "b", 0), *c = add(&requests, "c", 0);
    struct request_list *waiting = &requests.states[REQUEST_WAITING],
                        *ready = &requests.states[REQUEST_READY];
    CU_ASSERT_EQUAL(waiting->count, 3);
    requests_move(&requests, b, REQUEST_READY);
    requests_move(&requests, c, REQUEST_READY);
    a->received = b->received - 1;
    requests_move_back(&requests, a, REQUEST_READY);
    CU_ASSERT_EQUAL(waiting->count, 0);
    CU_ASSERT_PTR_NULL(waiting->first);
    CU_ASSERT_PTR_NULL(waiting->last);
    CU_ASSERT_PTR_EQUAL(ready->first, a);
    CU_ASSERT_PTR_EQUAL(ready->first->next, b);
    CU_ASSERT_PTR_EQUAL(ready->last, c);
    requests_remove(&requests, b);
    CU_ASSERT_PTR_EQUAL(a->next, c);
    CU_ASSERT_PTR_EQUAL(c->previous, a);
    CU_ASSERT_EQUAL(ready->count, 2);
    requests_clear(&requests);
}

static void what_is_taken_back_keeps_its_place(void)
{
    struct requests requests;
    CU_ASSERT_TRUE_FATAL(requests_init(&requests, NULL));
    char id[8];
    struct request *all[6];
    for (int i = 0; i < 6; i++) {
        (void)snprintf(id, sizeof id, "%d", i);
        all[i] = add(&requests, id, 0);
        all[i]->received = i;
        requests_move(&requests, all[i], i < 4 ? REQUEST_HANDED : REQUEST_READY);
    }
    const int order[] = {2, 0, 3, 1};
    for (int i = 0; i < 4; i++)
        requests_move_back(&requests, all[order[i]], REQUEST_READY);
    const struct request *at = requests.states[REQUEST_READY].first;
    for (int i = 0; i < 6; i++, at = at->next)
        CU_ASSERT_PTR_EQUAL_FATAL(at, all[i]);
    CU_ASSERT_PTR_EQUAL(requests.states[REQUEST_READY].last, all[5]);
    requests_clear(&requests);
}

UNIT_MAIN("requests", {"a request is found by its id", a_request_is_found_by_its_id},
          {"two requests may have one id", two_requests_may_have_one_id},
          {"a request is in the list of its state", a_request_is_in_the_list_of_its_state},
          {"what is taken back keeps its place", what_is_taken_back_keeps_its_place})
