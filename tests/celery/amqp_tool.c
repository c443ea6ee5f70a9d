/* amqp-tool: a consumer and a publisher of celeryc/amqp driven by lines of JSON, for the tests against a real
 * broker.
 *
 *     amqp-tool drive URLS [SETTINGS]           requests on standard input, what happens on standard output
 *     amqp-tool bench-publish URLS QUEUE COUNT [SIZE]        confirmed publishes a second, many in flight
 *     amqp-tool bench-wait URLS QUEUE COUNT THREADS          the same, by threads that wait for each
 *     amqp-tool bench-consume URLS QUEUE COUNT PREFETCH      deliveries a second, each acknowledged
 *
 * Requests have "do": publish, publish-wait, declare, add, cancel, prefetch, ack, reject, auto, describe,
 * state, quit. SETTINGS is an object: prefetch, global, limit, capacity, confirm, heartbeat, ca_file, retry.
 */
#include "celeryc/amqp/consumer.h"
#include "celeryc/amqp/publisher.h"
#include "common/clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct driver {
    struct consumer *consumer;
    struct publisher *publisher;
    bool automatic, requeue_first;
    char input[1 << 22];
    size_t used;
};

static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

static void say(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    pthread_mutex_lock(&output);
    puts(text);
    fflush(stdout);
    pthread_mutex_unlock(&output);
    free(text);
    json_decref(json);
}

static void fail(const struct error *error)
{
    fprintf(stderr, "amqp-tool: %s\n", error->message);
    exit(2);
}

/* ---- settings ---- */

static double number_of(json_t *json, const char *key, double otherwise)
{
    json_t *value = json_object_get(json, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static bool is_set(json_t *json, const char *key)
{
    return json_is_true(json_object_get(json, key));
}

static const char *text_of(json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static struct broker_options broker_options(const char *urls, const char *purpose, json_t *settings)
{
    double retry = number_of(settings, "retry", 0.1);
    return (struct broker_options){.urls = urls,
                                   .purpose = purpose,
                                   .connect_timeout = number_of(settings, "connect_timeout", 4),
                                   .heartbeat = (int)number_of(settings, "heartbeat", 0),
                                   .retry_first = retry,
                                   .retry_step = retry,
                                   .retry_most = 10 * retry,
                                   .ca_file = text_of(settings, "ca_file")};
}

static struct consumer *make_consumer(const char *urls, json_t *settings)
{
    struct error error;
    struct consumer_options options = {.broker = broker_options(urls, "amqp-tool: consume", settings),
                                       .prefetch = (unsigned)number_of(settings, "prefetch", 64),
                                       .prefetch_global = is_set(settings, "global"),
                                       .message_limit = (size_t)number_of(settings, "limit", 0)};
    struct consumer *consumer = consumer_new(&options, &error);
    if (consumer == NULL)
        fail(&error);
    return consumer;
}

static struct publisher *make_publisher(const char *urls, json_t *settings)
{
    struct error error;
    struct publisher_options options = {.broker = broker_options(urls, "amqp-tool: publish", settings),
                                        .confirm = json_object_get(settings, "confirm") == NULL ||
                                                   is_set(settings, "confirm"),
                                        .capacity = (size_t)number_of(settings, "capacity", 0)};
    struct publisher *publisher = publisher_new(&options, &error);
    if (publisher == NULL)
        fail(&error);
    return publisher;
}

/* ---- publishing ---- */

static const char *outcome_name(enum publish_outcome outcome)
{
    static const char *const names[] = {"confirmed", "returned", "refused", "expired", "stopped"};
    return names[outcome];
}

static char *copy_of(json_t *json, const char *key)
{
    const char *text = text_of(json, key);
    return text == NULL ? NULL : strdup(text);
}

static struct wire_message message_of(json_t *request)
{
    struct wire_message message;
    wire_message_init(&message);
    message.exchange = copy_of(request, "exchange");
    message.routing_key = copy_of(request, "key");
    message.correlation_id = copy_of(request, "correlation_id");
    message.expiration = copy_of(request, "expiration");
    message.content_type = strdup("text/plain");
    message.delivery_mode = 2;
    message.priority = (int)number_of(request, "priority", -1);
    message.headers = json_deep_copy(json_object_get(request, "headers"));
    const char *body = text_of(request, "body");
    size_t size = (size_t)number_of(request, "size", 0); /* of a body that is made up */
    message.body_size = body != NULL ? strlen(body) : size;
    message.body = malloc(message.body_size + 1);
    if (body != NULL)
        memcpy(message.body, body, message.body_size);
    else
        memset(message.body, 'x', message.body_size);
    return message;
}

static void tell_outcome(void *context, enum publish_outcome outcome, const char *reason)
{
    char *id = context;
    say(json_pack("{s:s, s:s, s:s?}", "id", id, "outcome", outcome_name(outcome), "reason", reason));
    free(id);
}

static void publish(struct driver *driver, json_t *request)
{
    struct error error;
    struct wire_message message = message_of(request);
    double timeout = number_of(request, "timeout", 0);
    char *id = copy_of(request, "id");
    if (!publisher_send(driver->publisher, &message, timeout > 0 ? clock_monotonic() + timeout : 0,
                        tell_outcome, id, &error)) {
        say(json_pack("{s:s, s:s, s:s, s:s}", "id", id, "outcome", "not-taken", "code",
                      error_code_name(error.code), "reason", error.message));
        free(id);
    }
    wire_message_clear(&message);
}

static void publish_and_wait(struct driver *driver, json_t *request)
{
    struct error error = {0};
    struct wire_message message = message_of(request);
    bool done = publisher_publish(driver->publisher, &message, number_of(request, "timeout", 60), &error);
    say(json_pack("{s:s, s:b, s:s, s:s}", "id", text_of(request, "id"), "done", done, "code",
                  error_code_name(error.code), "reason", error.message));
    wire_message_clear(&message);
}

/* ---- consuming ---- */

static struct queue_spec spec_of(json_t *request)
{
    return (struct queue_spec){.name = text_of(request, "queue"),
                               .exchange = text_of(request, "exchange"),
                               .exchange_type = text_of(request, "type"),
                               .routing_key = text_of(request, "key"),
                               .durable = !is_set(request, "transient"),
                               .exclusive = is_set(request, "exclusive"),
                               .auto_delete = is_set(request, "auto_delete"),
                               .no_ack = is_set(request, "no_ack"),
                               .exchange_durable = true,
                               .arguments = json_object_get(request, "arguments"),
                               .consumer_tag = text_of(request, "consumer_tag")};
}

static void show_event(const struct consumer_event *event)
{
    static const char *const names[] = {"connected", "lost", "delivery", "ready", "cancelled", "refused"};
    const struct wire_message *message = &event->message;
    json_t *json = json_pack("{s:s, s:i, s:s?, s:s?}", "event", names[event->kind], "epoch", event->epoch,
                             "queue", event->queue, "reason", event->reason);
    if (event->kind == CONSUMER_DELIVERY) {
        json_t *body =
            message->body_size > 4096 ? json_null() : json_stringn(message->body, message->body_size);
        json_t *more = json_pack("{s:I, s:b, s:s?, s:o, s:I, s:O?, s:s?, s:s?, s:s?, s:i, s:i}", "tag",
                                 (json_int_t)event->tag, "redelivered", event->redelivered, "consumer_tag",
                                 event->consumer_tag, "body", body, "size", (json_int_t)message->body_size,
                                 "headers", message->headers, "exchange", message->exchange, "key",
                                 message->routing_key, "correlation_id", message->correlation_id, "priority",
                                 message->priority, "delivery_mode", message->delivery_mode);
        json_object_update(json, more);
        json_decref(more);
    }
    say(json);
}

static void take_events(struct driver *driver)
{
    struct consumer_event *event = consumer_take(driver->consumer);
    while (event != NULL) {
        struct consumer_event *next = event->next;
        if (event->kind == CONSUMER_DELIVERY && driver->automatic)
            consumer_ack(driver->consumer, event->epoch, event->tag);
        show_event(event);
        consumer_event_free(event);
        event = next;
    }
    consumer_flush(driver->consumer);
}

static void settle(struct driver *driver, json_t *request, bool ack)
{
    uint32_t epoch = (uint32_t)number_of(request, "epoch", 0);
    size_t index;
    json_t *tag;
    json_array_foreach(json_object_get(request, "tags"), index, tag)
    {
        if (ack)
            consumer_ack(driver->consumer, epoch, (uint64_t)json_integer_value(tag));
        else
            consumer_reject(driver->consumer, epoch, (uint64_t)json_integer_value(tag),
                            is_set(request, "requeue"));
    }
    consumer_flush(driver->consumer);
}

static void quit(struct driver *driver, json_t *request)
{
    double timeout = number_of(request, "timeout", 10);
    publisher_free(driver->publisher, timeout);
    consumer_free(driver->consumer, timeout);
    say(json_pack("{s:b}", "quit", 1));
    free(driver);
    json_decref(request);
    exit(0);
}

static void follow(struct driver *driver, json_t *request)
{
    const char *what = text_of(request, "do");
    struct queue_spec spec = spec_of(request);
    struct error error = {0};
    if (strcmp(what, "publish") == 0)
        publish(driver, request);
    else if (strcmp(what, "publish-wait") == 0)
        publish_and_wait(driver, request);
    else if (strcmp(what, "declare") == 0)
        publisher_declare(driver->publisher, &spec);
    else if (strcmp(what, "add") == 0)
        consumer_add(driver->consumer, &spec);
    else if (strcmp(what, "cancel") == 0)
        consumer_cancel(driver->consumer, spec.name);
    else if (strcmp(what, "prefetch") == 0)
        consumer_set_prefetch(driver->consumer, (unsigned)number_of(request, "count", 0),
                              (unsigned)number_of(request, "waiting", 0));
    else if (strcmp(what, "ack") == 0)
        settle(driver, request, true);
    else if (strcmp(what, "reject") == 0)
        settle(driver, request, false);
    else if (strcmp(what, "auto") == 0)
        driver->automatic = true;
    else if (strcmp(what, "describe") == 0)
        say(json_pack("{s:o}", "describe", consumer_describe(driver->consumer)));
    else if (strcmp(what, "state") == 0) {
        bool up = publisher_is_connected(driver->publisher, &error);
        say(json_pack("{s:b, s:s, s:I}", "up", up, "reason", error.message, "dropped",
                      (json_int_t)publisher_dropped(driver->publisher)));
    } else if (strcmp(what, "quit") == 0)
        quit(driver, request);
}

/* False at the end of input. */
static bool read_requests(struct driver *driver)
{
    ssize_t size = read(0, driver->input + driver->used, sizeof driver->input - driver->used);
    if (size <= 0)
        return false;
    driver->used += (size_t)size;
    char *at = driver->input, *end = driver->input + driver->used;
    for (char *line = memchr(at, '\n', (size_t)(end - at)); line != NULL;
         line = memchr(at, '\n', (size_t)(end - at))) {
        json_t *request = json_loadb(at, (size_t)(line - at), 0, NULL);
        if (request != NULL)
            follow(driver, request);
        json_decref(request);
        at = line + 1;
    }
    driver->used = (size_t)(end - at);
    memmove(driver->input, at, driver->used);
    return true;
}

static int drive(const char *urls, json_t *settings)
{
    struct driver *driver = calloc(1, sizeof *driver);
    driver->consumer = make_consumer(urls, settings);
    driver->publisher = make_publisher(urls, settings);
    for (;;) {
        struct pollfd wait[] = {{.fd = 0, .events = POLLIN},
                                {.fd = consumer_fd(driver->consumer), .events = POLLIN}};
        if (poll(wait, 2, -1) < 0 && errno != EINTR)
            break;
        if (wait[1].revents != 0)
            take_events(driver);
        if (wait[0].revents != 0 && !read_requests(driver))
            break;
    }
    publisher_free(driver->publisher, 5);
    consumer_free(driver->consumer, 5);
    free(driver);
    return 0;
}

/* ---- rates ---- */

struct tally {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t under_way, confirmed, failed;
};

static void count_outcome(void *context, enum publish_outcome outcome, const char *reason)
{
    struct tally *tally = context;
    (void)reason;
    pthread_mutex_lock(&tally->mutex);
    tally->under_way--;
    if (outcome == PUBLISH_CONFIRMED)
        tally->confirmed++;
    else
        tally->failed++;
    if (tally->under_way % 256 == 0)
        pthread_cond_signal(&tally->changed);
    pthread_mutex_unlock(&tally->mutex);
}

static int bench_publish(const char *urls, const char *queue, size_t count, size_t size)
{
    struct error error;
    struct tally tally = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0};
    struct publisher *publisher = make_publisher(urls, NULL);
    struct queue_spec spec = {.name = queue, .exchange = "", .durable = true};
    publisher_declare(publisher, &spec);
    double start = clock_monotonic();
    for (size_t i = 0; i < count; i++) {
        struct wire_message message;
        wire_message_init(&message);
        message.exchange = strdup("");
        message.routing_key = strdup(queue);
        message.delivery_mode = 2;
        message.body = calloc(1, size + 1);
        message.body_size = size;
        pthread_mutex_lock(&tally.mutex);
        while (tally.under_way >= 2048)
            pthread_cond_wait(&tally.changed, &tally.mutex);
        tally.under_way++;
        pthread_mutex_unlock(&tally.mutex);
        if (!publisher_send(publisher, &message, 0, count_outcome, &tally, &error))
            fail(&error);
    }
    publisher_free(publisher, 60);
    double seconds = clock_monotonic() - start;
    printf("%zu confirmed, %zu not, %.0f a second\n", tally.confirmed, tally.failed, (double)count / seconds);
    return tally.confirmed == count ? 0 : 1;
}

struct caller {
    struct publisher *publisher;
    const char *queue;
    size_t count, confirmed;
};

static void *publish_one_by_one(void *context)
{
    struct caller *caller = context;
    struct error error;
    for (size_t i = 0; i < caller->count; i++) {
        struct wire_message message;
        wire_message_init(&message);
        message.exchange = strdup("");
        message.routing_key = strdup(caller->queue);
        message.delivery_mode = 2;
        message.body = calloc(1, 101);
        message.body_size = 100;
        if (publisher_publish(caller->publisher, &message, 60, &error))
            caller->confirmed++;
        wire_message_clear(&message);
    }
    return NULL;
}

/* Many threads that each wait for each message, as those of a server do. */
static int bench_wait(const char *urls, const char *queue, size_t count, size_t threads)
{
    enum { MOST = 256 };
    pthread_t ids[MOST];
    struct caller callers[MOST];
    struct publisher *publisher = make_publisher(urls, NULL);
    struct queue_spec spec = {.name = queue, .exchange = "", .durable = true};
    size_t confirmed = 0;
    threads = threads == 0 ? 1 : threads > MOST ? MOST : threads;
    publisher_declare(publisher, &spec);
    double start = clock_monotonic();
    for (size_t i = 0; i < threads; i++) {
        callers[i] = (struct caller){publisher, queue, count / threads, 0};
        if (pthread_create(&ids[i], NULL, publish_one_by_one, &callers[i]) != 0)
            return 1;
    }
    for (size_t i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        confirmed += callers[i].confirmed;
    }
    double seconds = clock_monotonic() - start;
    publisher_free(publisher, 10);
    printf("%zu confirmed to %zu threads, %.0f a second\n", confirmed, threads, (double)confirmed / seconds);
    return confirmed == count / threads * threads ? 0 : 1;
}

static int bench_consume(const char *urls, const char *queue, size_t count, unsigned prefetch)
{
    json_t *settings = json_pack("{s:i}", "prefetch", prefetch);
    struct consumer *consumer = make_consumer(urls, settings);
    struct queue_spec spec = {.name = queue, .exchange = "", .durable = true};
    size_t taken = 0, turns = 0;
    double start = 0;
    consumer_add(consumer, &spec);
    while (taken < count) {
        struct pollfd wait = {.fd = consumer_fd(consumer), .events = POLLIN};
        poll(&wait, 1, -1);
        turns++;
        struct consumer_event *event = consumer_take(consumer);
        while (event != NULL) {
            struct consumer_event *next = event->next;
            if (event->kind == CONSUMER_DELIVERY) {
                start = start > 0 ? start : clock_monotonic();
                consumer_ack(consumer, event->epoch, event->tag);
                taken++;
            }
            consumer_event_free(event);
            event = next;
        }
        consumer_flush(consumer);
    }
    double seconds = clock_monotonic() - start;
    consumer_free(consumer, 10);
    json_decref(settings);
    printf("%zu taken in %zu turns, %.0f a second\n", taken, turns, (double)taken / seconds);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "drive") == 0) {
        json_t *settings = argc > 3 ? json_loads(argv[3], 0, NULL) : NULL;
        int code = drive(argv[2], settings);
        json_decref(settings);
        return code;
    }
    if (argc >= 5 && strcmp(argv[1], "bench-publish") == 0)
        return bench_publish(argv[2], argv[3], strtoul(argv[4], NULL, 10),
                             argc > 5 ? strtoul(argv[5], NULL, 10) : 100);
    if (argc >= 6 && strcmp(argv[1], "bench-wait") == 0)
        return bench_wait(argv[2], argv[3], strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10));
    if (argc >= 6 && strcmp(argv[1], "bench-consume") == 0)
        return bench_consume(argv[2], argv[3], strtoul(argv[4], NULL, 10),
                             (unsigned)strtoul(argv[5], NULL, 10));
    fprintf(stderr, "usage: amqp-tool drive|bench-publish|bench-wait|bench-consume URLS ...\n");
    return 2;
}
