#include "celeryc/control/commands.h"
#include "celeryc/message/task_message.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A worker that has three requests and notes what it is told. */
struct stub {
    struct request requests[3];
    char told[256];
    bool down, scaled;
};

static const char *const states[] = {"running", "ready", "later"};

static void set_up(struct stub *stub)
{
    memset(stub, 0, sizeof *stub);
    for (size_t i = 0; i < 3; i++) {
        struct request *request = &stub->requests[i];
        wire_message_init(&request->wire);
        request->wire.exchange = strdup("");
        request->wire.routing_key = strdup("celery");
        request->wire.priority = 0;
        request->wire.content_type = strdup("application/json");
        request->wire.content_encoding = strdup("utf-8");
        request->wire.headers = json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", states[i], "task", "demo.sleep",
                                          "lang", "py", "argsrepr", "(600,)", "kwargsrepr", "{}");
        request->wire.body = strdup("[[600], {}, {\"callbacks\": null, \"errbacks\": null, \"chain\": null, "
                                    "\"chord\": null}]");
        request->wire.body_size = strlen(request->wire.body);
        request->id = strdup(states[i]);
        CU_ASSERT_EQUAL(task_message_parse(&request->wire, &request->message, NULL), MESSAGE_GOOD);
    }
    stub->requests[0].state = REQUEST_RUNNING;
    stub->requests[0].started = 1795478755.5890503;
    stub->requests[0].pid = 24454;
    stub->requests[0].acknowledged = true;
    stub->requests[1].state = REQUEST_READY;
    stub->requests[2].state = REQUEST_WAITING;
    stub->requests[2].eta = 1795478456.593744;
}

static void tear_down(struct stub *stub)
{
    for (size_t i = 0; i < 3; i++) {
        task_message_free(stub->requests[i].message);
        wire_message_clear(&stub->requests[i].wire);
        free(stub->requests[i].id);
    }
}

static void each_request(void *context, request_visitor *visit, void *visitor)
{
    struct stub *stub = context;
    for (size_t i = 0; i < 3; i++)
        visit(visitor, &stub->requests[i]);
}

static const struct request *find_request(void *context, const char *id)
{
    struct stub *stub = context;
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(stub->requests[i].id, id) == 0)
            return &stub->requests[i];
    }
    return NULL;
}

static void each_queue(void *context, queue_visitor *visit, void *visitor)
{
    const struct queue_spec queue = {.name = "celery", .durable = true, .exchange_durable = true};
    (void)context;
    visit(visitor, &queue);
}

static double no_lag(void *context)
{
    (void)context;
    return 0;
}

static json_t *an_object(void *context)
{
    (void)context;
    return json_pack("{s:i}", "demo.sleep", 3);
}

static json_t *configuration(void *context, bool with_defaults)
{
    return with_defaults ? json_pack("{s:i}", "all", 1) : an_object(context);
}

static json_t *revoked(void *context)
{
    (void)context;
    return json_pack("[s]", "gone");
}

static unsigned prefetch_count(void *context)
{
    (void)context;
    return 8;
}

static void shut_down(void *context)
{
    ((struct stub *)context)->down = true;
}

static void note(void *context, const char *what, const char *name, int number)
{
    struct stub *stub = context;
    size_t used = strlen(stub->told);
    snprintf(stub->told + used, sizeof stub->told - used, "%s %s %d;", what, name, number);
}

static void revoke_id(void *context, const char *id)
{
    note(context, "revoke", id, 0);
}

static void store_revoked(void *context, const char *id)
{
    note(context, "store", id, 0);
}

static void revoke_stamp(void *context, const char *header, json_t *value)
{
    note(context, header, json_is_string(value) ? json_string_value(value) : "several",
         (int)json_array_size(value));
}

static json_t *autoscaler(void *context)
{
    struct stub *stub = context;
    return stub->scaled ? json_pack("{s:i, s:i}", "max", 3, "min", 1) : NULL;
}

static bool autoscale(void *context, long *most, long *least)
{
    *most = *most < 0 ? 3 : *most;
    *least = *least < 0 ? 1 : *least;
    return ((struct stub *)context)->scaled;
}

static const char *rate_of(void *context, const struct celery_task_type *type)
{
    (void)context;
    return type->rate_limit;
}

static void limits_of(void *context, const struct celery_task_type *type, double *soft, double *hard)
{
    (void)context;
    *soft = type->soft_time_limit;
    *hard = type->time_limit;
}

static bool set_rate_limit(void *context, const char *task, const char *rate)
{
    note(context, "rate", rate != NULL ? rate : "none", 0);
    return strcmp(task, "demo.add") == 0;
}

static bool set_time_limits(void *context, const char *task, double soft, double hard)
{
    note(context, "soft", "", (int)(soft * 10));
    note(context, "hard", "", (int)(hard * 10));
    return strcmp(task, "demo.add") == 0;
}

static bool terminate_id(void *context, const char *id, int number)
{
    note(context, "terminate", id, number);
    return find_request(context, id) != NULL;
}

static void pool_grow(void *context, int by)
{
    note(context, "grow", "", by);
}

static void add_queue(void *context, const struct queue_spec *queue)
{
    note(context, "add", queue->name, queue->routing_key != NULL);
}

static void cancel_queue(void *context, const char *name)
{
    note(context, "cancel", name, 0);
}

/* Runs a command on a stub and compares its reply, as JSON with sorted keys; "-" where nothing is replied. */
static void check_on(bool scaled, const char *method, const char *arguments, const char *expected,
                     const char *told)
{
    static struct lamport_clock lamport;
    static const struct celery_task_type types[] = {
        {.name = "demo.sleep", .rate_limit = "10/s", .acks_late = true},
        {.name = "demo.add"},
        {.name = NULL}};
    struct stub stub;
    set_up(&stub);
    stub.scaled = scaled;
    const struct control_worker worker = {.context = &stub,
                                          .app = "demo",
                                          .version = "1",
                                          .hostname = "w1@host1",
                                          .transport = "amqp",
                                          .types = types,
                                          .clock = &lamport,
                                          .each_request = each_request,
                                          .find_request = find_request,
                                          .each_queue = each_queue,
                                          .totals = an_object,
                                          .prefetch_count = prefetch_count,
                                          .pool = an_object,
                                          .broker = an_object,
                                          .timer_lag = no_lag,
                                          .configuration = configuration,
                                          .autoscaler = autoscaler,
                                          .autoscale = autoscale,
                                          .rate_limit = rate_of,
                                          .time_limits = limits_of,
                                          .set_rate_limit = set_rate_limit,
                                          .set_time_limits = set_time_limits,
                                          .store_revoked = store_revoked,
                                          .revoke_stamp = revoke_stamp,
                                          .revoked = revoked,
                                          .shutdown = shut_down,
                                          .revoke = revoke_id,
                                          .terminate = terminate_id,
                                          .pool_grow = pool_grow,
                                          .add_queue = add_queue,
                                          .cancel_queue = cancel_queue};
    json_t *given = arguments != NULL ? json_loads(arguments, 0, NULL) : NULL;
    json_t *reply = control_run(&worker, method, given);
    char *text = reply != NULL ? json_dumps(reply, JSON_SORT_KEYS | JSON_ENCODE_ANY) : strdup("-");
    if (expected != NULL && strcmp(text, expected) != 0)
        printf("\n%s:\n  %s\nexpected:\n  %s\n", method, text, expected);
    if (expected != NULL)
        CU_ASSERT_STRING_EQUAL(text, expected);
    CU_ASSERT_STRING_EQUAL(stub.told, told);
    CU_ASSERT_EQUAL(stub.down, strcmp(method, "shutdown") == 0);
    free(text);
    json_decref(reply);
    json_decref(given);
    tear_down(&stub);
}

static void check(const char *method, const char *arguments, const char *expected, const char *told)
{
    check_on(false, method, arguments, expected, told);
}

#define INFO(id, ack, pid, start, args, kwargs)                                                              \
    "{\"acknowledged\": " ack ", \"args\": " args                                                            \
    ", \"delivery_info\": {\"exchange\": \"\", \"priority\": 0, "                                            \
    "\"redelivered\": false, \"routing_key\": \"celery\"}, \"hostname\": \"w1@host1\", \"id\": \"" id "\", " \
    "\"kwargs\": " kwargs ", \"name\": \"demo.sleep\", \"time_start\": " start                               \
    ", \"type\": \"demo.sleep\", "                                                                           \
    "\"worker_pid\": " pid "}"

static void tasks_are_shown_by_their_state(void)
{
    check("active", NULL, "[" INFO("running", "true", "24454", "1795478755.5890503", "[600]", "{}") "]", "");
    check("dump_active", "{\"safe\": true}",
          "[" INFO("running", "true", "24454", "1795478755.5890503", "\"(600,)\"", "\"{}\"") "]", "");
    check("reserved", "{}", "[" INFO("ready", "false", "null", "null", "[600]", "{}") "]", "");
    check("scheduled", "{}",
          "[{\"eta\": \"2026-11-24T00:00:56.593744+00:00\", \"priority\": 6, \"request\": " INFO(
              "later", "false", "null", "null", "[600]", "{}") "}]",
          "");
    check("query_task", "{\"ids\": [\"ready\", \"nobody\", 7]}",
          "{\"ready\": [\"reserved\", " INFO("ready", "false", "null", "null", "[600]", "{}") "]}", "");
    check("query_task", "{\"ids\": \"nobody\"}", "{}", "");
    check("revoked", NULL, "[\"gone\"]", "");
}

static void the_worker_is_shown(void)
{
    check("ping", NULL, "{\"ok\": \"pong\"}", "");
    check("registered", NULL, "[\"demo.add\", \"demo.sleep [rate_limit=10/s]\"]", "");
    check("registered", "{\"taskinfoitems\": [\"acks_late\", \"max_retries\", \"_x\", 7]}",
          "[\"demo.add [acks_late=False max_retries=3]\", \"demo.sleep [acks_late=True max_retries=3]\"]",
          "");
    check("conf", "{\"with_defaults\": false}", "{\"demo.sleep\": 3}", "");
    check("conf", "{\"with_defaults\": true}", "{\"all\": 1}", "");
    check("stats", NULL, NULL, "");
    check("report", NULL, NULL, "");
    check("memsample", NULL, NULL, "");
    check("active_queues", NULL,
          "[{\"alias\": null, \"auto_delete\": false, \"binding_arguments\": null, \"bindings\": [], "
          "\"consumer_arguments\": null, \"durable\": true, \"exchange\": {\"arguments\": null, "
          "\"auto_delete\": "
          "false, \"delivery_mode\": null, \"durable\": true, \"name\": \"celery\", \"no_declare\": false, "
          "\"passive\": false, \"type\": \"direct\"}, \"exclusive\": false, \"expires\": null, "
          "\"max_length\": null, "
          "\"max_length_bytes\": null, \"max_priority\": null, \"message_ttl\": null, \"name\": \"celery\", "
          "\"no_ack\": "
          "false, \"no_declare\": null, \"queue_arguments\": null, \"routing_key\": \"celery\"}]",
          "");
}

static void tasks_are_revoked_and_terminated(void)
{
    check("revoke", "{\"task_id\": \"a\", \"terminate\": false, \"signal\": \"SIGTERM\"}",
          "{\"ok\": \"tasks {'a'} flagged as revoked\"}", "revoke a 0;store a 0;");
    check("revoke", "{\"task_id\": [\"a\", \"b\", \"a\", 7]}",
          "{\"ok\": \"tasks {'a', 'b'} flagged as revoked\"}", "revoke a 0;store a 0;revoke b 0;store b 0;");
    check("revoke", "{\"task_id\": []}", "{\"ok\": \"tasks set() flagged as revoked\"}", "");
    check("revoke", "{\"task_id\": \"running\", \"terminate\": true, \"signal\": \"KILL\"}",
          "{\"ok\": \"terminate: running\"}", "revoke running 0;store running 0;terminate running 9;");
    check("terminate", "{\"signal\": \"SIGUSR1\", \"task_id\": [\"a\"]}",
          "{\"ok\": \"terminate: tasks unknown\"}", "revoke a 0;store a 0;terminate a 10;");
    check("terminate", "{\"signal\": \"term\", \"task_id\": \"a\"}",
          "{\"error\": \"TypeError('signal name must be uppercase string.')\"}", "revoke a 0;store a 0;");
    check("terminate", "{\"signal\": \"SIGNONE\", \"task_id\": \"a\"}",
          "{\"error\": \"AttributeError(\\\"module 'signal' has no attribute 'SIGNONE'\\\")\"}",
          "revoke a 0;store a 0;");
    check("terminate", "{\"signal\": 4000, \"task_id\": \"a\"}",
          "{\"error\": \"ValueError('no such signal')\"}", "revoke a 0;store a 0;");
}

static void tasks_are_revoked_by_their_stamps(void)
{
    check("revoke_by_stamped_headers", "{\"headers\": {\"who\": \"me\"}}",
          "{\"ok\": \"headers {'who': 'me'} flagged as revoked, but not terminated\"}", "who me 0;");
    check("revoke_by_stamped_headers", "{\"headers\": [\"who=me\"]}",
          "{\"ok\": \"headers {'who': 'me'} flagged as revoked, but not terminated\"}", "who me 0;");
    check("revoke_by_stamped_headers", "{\"headers\": {\"who\": [\"me\", 1]}, \"terminate\": true}",
          "{\"ok\": \"headers {'who': ['me', 1]} were not terminated\"}", "who several 2;");
    check("revoke_by_stamped_headers", "{\"headers\": [\"me\"]}",
          "{\"error\": \"IndexError('list index out of range')\"}", "");
    check("revoke_by_stamped_headers", "{\"headers\": {\"a\": 1}, \"signal\": \"SIGNONE\"}",
          "{\"error\": \"AttributeError(\\\"module 'signal' has no attribute 'SIGNONE'\\\")\"}", "");
}

static void limits_are_changed(void)
{
    check("rate_limit", "{\"task_name\": \"demo.add\", \"rate_limit\": \"10/m\"}",
          "{\"ok\": \"new rate limit set successfully\"}", "rate 10/m 0;");
    check("rate_limit", "{\"task_name\": \"demo.add\", \"rate_limit\": 5}",
          "{\"ok\": \"new rate limit set successfully\"}", "rate 5 0;");
    check("rate_limit", "{\"task_name\": \"demo.add\", \"rate_limit\": null}",
          "{\"ok\": \"rate limit disabled successfully\"}", "rate none 0;");
    check("rate_limit", "{\"task_name\": \"demo.add\", \"rate_limit\": \"0\"}",
          "{\"ok\": \"new rate limit set successfully\"}", "rate none 0;");
    check("rate_limit", NULL,
          "{\"error\": \"TypeError(\\\"rate_limit() missing 2 required positional arguments: 'task_name' and "
          "'rate_limit'\\\")\"}",
          "");
    check("rate_limit", "{\"task_name\": \"nobody\", \"rate_limit\": 0}", "{\"error\": \"unknown task\"}",
          "rate none 0;");
    check("rate_limit", "{\"task_name\": \"demo.add\", \"rate_limit\": \"often\"}",
          "{\"error\": \"Invalid rate limit string: ValueError(\\\"could not convert string to float: "
          "'often'\\\")\"}",
          "");
    check("rate_limit", "{\"task_name\": \"demo.add\", \"rate_limit\": \"1/y\"}",
          "{\"error\": \"KeyError('y')\"}", "");
    check("time_limit", "{\"task_name\": \"demo.add\", \"soft\": 1.5, \"hard\": 3}",
          "{\"ok\": \"time limits set successfully\"}", "soft  15;hard  30;");
    check("time_limit", "{\"task_name\": \"demo.add\", \"soft\": null}",
          "{\"ok\": \"time limits set successfully\"}", "soft  0;hard  0;");
    check("time_limit", "{\"task_name\": \"nobody\", \"hard\": 1}", "{\"error\": \"unknown task\"}",
          "soft  0;hard  10;");
    check("time_limit", "{\"task_name\": \"demo.add\", \"hard\": -1}",
          "{\"error\": \"ValueError('limits are seconds from 0 to 1e+09')\"}", "");
}

static void a_pool_that_scales_itself_is_told_its_bounds(void)
{
    check_on(true, "autoscale", "{\"max\": 5, \"min\": null}", "{\"ok\": \"autoscale now max=5 min=1\"}", "");
    check_on(true, "autoscale", "{\"max\": -5}",
             "{\"error\": \"ValueError('max and min must be numbers from 0 to 512')\"}", "");
    check_on(true, "pool_grow", "{\"n\": 1}",
             "{\"error\": \"pool_grow is not supported with autoscale. Adjust autoscale range instead.\"}",
             "");
    check_on(true, "pool_shrink", NULL,
             "{\"error\": \"pool_shrink is not supported with autoscale. Adjust autoscale range instead.\"}",
             "");
    check("pool_restart", NULL, "{\"error\": \"ValueError('Pool restarts not enabled')\"}", "");
}

static void pool_and_queues_are_steered(void)
{
    check("pool_grow", NULL, "{\"ok\": \"pool will grow\"}", "grow  1;");
    check("pool_shrink", "{\"n\": 2}", "{\"ok\": \"pool will shrink\"}", "grow  -2;");
    check("pool_grow", "{\"n\": -5}", "{\"error\": \"ValueError('n must be a number from 0 to 512')\"}", "");
    check("pool_grow", "{\"n\": {}}", "{\"error\": \"ValueError('n must be a number from 0 to 512')\"}", "");
    check("autoscale", "{\"max\": 2, \"min\": 1}", "{\"error\": \"ValueError('Autoscale not enabled')\"}",
          "");
    check("add_consumer", "{\"queue\": \"extra\", \"exchange\": null, \"routing_key\": null}",
          "{\"ok\": \"add consumer extra\"}", "add extra 0;");
    check("cancel_consumer", "{\"queue\": \"extra\"}", "{\"ok\": \"no longer consuming from extra\"}",
          "cancel extra 0;");
    check("cancel_consumer", "{\"queue\": 7}", "{\"error\": \"ValueError('names have 1 to 255 bytes')\"}",
          "");
    check("shutdown", NULL, "-", "");
}

static void events_that_are_not_there_cannot_be_switched(void)
{
    check("enable_events", NULL, "{\"error\": \"event dispatcher unavailable\"}", "");
    check("heartbeat", NULL, "null", "");
}

static void what_does_not_fit_is_answered_as_python_answers_it(void)
{
    check("nonsense", NULL, "{\"error\": \"KeyError('nonsense')\"}", "");
    check("query_task", NULL,
          "{\"error\": \"TypeError(\\\"query_task() missing 1 required positional argument: "
          "'ids'\\\")\"}",
          "");
    check("heartbeat", "{\"x\": 1}",
          "{\"error\": \"TypeError(\\\"heartbeat() got an unexpected keyword argument 'x'\\\")\"}", "");
    check("ping", "{\"x\": 1}", "{\"ok\": \"pong\"}", "");
}

static void neighbours_say_hello(void)
{
    check("hello", "{\"from_node\": \"w1@host1\"}", "null", "");
    check("hello", "{\"from_node\": \"w2@host1\", \"revoked\": [\"x\", 7]}", NULL, "revoke x 0;");
    check("hello", "{\"from_node\": \"w2@host1\", \"revoked\": {\"x\": 1.5}}", NULL, "revoke x 0;");
}

static void the_table_is_whole(void)
{
    const struct control_command *command;
    size_t count = 0;
    for (; (command = control_at(count)) != NULL; count++) {
        CU_ASSERT_PTR_EQUAL(control_find(command->name), command);
        CU_ASSERT_PTR_NOT_NULL(command->run);
        CU_ASSERT_PTR_NOT_NULL(command->help);
    }
    CU_ASSERT(count >= 25);
}

UNIT_MAIN("commands", {"tasks are shown by their state", tasks_are_shown_by_their_state},
          {"the worker is shown", the_worker_is_shown},
          {"tasks are revoked and terminated", tasks_are_revoked_and_terminated},
          {"tasks are revoked by their stamps", tasks_are_revoked_by_their_stamps},
          {"limits are changed", limits_are_changed},
          {"a pool that scales itself is told its bounds", a_pool_that_scales_itself_is_told_its_bounds},
          {"pool and queues are steered", pool_and_queues_are_steered},
          {"events that are not there cannot be switched", events_that_are_not_there_cannot_be_switched},
          {"what does not fit is answered as Python answers it",
           what_does_not_fit_is_answered_as_python_answers_it},
          {"neighbours say hello", neighbours_say_hello}, {"the table is whole", the_table_is_whole})
