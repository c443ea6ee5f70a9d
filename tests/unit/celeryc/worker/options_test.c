#include "celeryc/worker/options.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct celery_worker_program program = {.app = "demo", .version = "1"};

static bool read_words(struct worker_options *options, struct error *error, const char *const *words)
{
    static char text[32][256];
    char *argv[33] = {"demo"};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++) {
        (void)snprintf(text[argc], sizeof text[argc], "%s", words[argc - 1]);
        argv[argc] = text[argc];
    }
    return worker_options_read(options, &program, argc, argv, error);
}

#define READ(options, error, ...) read_words(options, error, (const char *const[]){__VA_ARGS__, NULL})

static void the_names_operators_know_are_understood(void)
{
    struct worker_options o;
    struct error error;
    CU_ASSERT_TRUE(READ(&o, &error, "worker", "-A", "proj", "-n", "w1@here", "-c", "3", "-Q", "a,b,,c,a",
                        "-X", "b", "-l", "info", "-E", "-O", "fair", "--pool", "prefork",
                        "--prefetch-multiplier", "64", "--max-tasks-per-child=5", "--time-limit=3.5",
                        "--soft-time-limit", "2", "--without-gossip", "--without-mingle",
                        "--without-heartbeat", "-b", "amqp://u:p@host//", "--result-backend=redis://h/1"));
    CU_ASSERT_STRING_EQUAL_FATAL(o.hostname, "w1@here");
    CU_ASSERT_EQUAL(o.concurrency, 3);
    CU_ASSERT_EQUAL_FATAL(o.queue_count, 2);
    CU_ASSERT_STRING_EQUAL(o.queues[0], "a");
    CU_ASSERT_STRING_EQUAL(o.queues[1], "c");
    CU_ASSERT_EQUAL(o.level, LOG_INFO);
    CU_ASSERT_TRUE(o.task_events && o.without_gossip && o.without_mingle && o.without_heartbeat);
    CU_ASSERT_EQUAL(o.prefetch_multiplier, 64);
    CU_ASSERT_EQUAL(o.max_tasks_per_child, 5);
    CU_ASSERT_EQUAL(o.time_limit, 3.5);
    CU_ASSERT_EQUAL(o.soft_time_limit, 2);
    CU_ASSERT_EQUAL(o.action, WORKER_RUN);
    worker_options_clear(&o);
}

static void without_options_celery_s_defaults_hold(void)
{
    struct worker_options o;
    struct error error;
    CU_ASSERT_TRUE(read_words(&o, &error, (const char *const[]){NULL}));
    CU_ASSERT_EQUAL(o.prefetch_multiplier, 4);
    CU_ASSERT_EQUAL_FATAL(o.queue_count, 1);
    CU_ASSERT_STRING_EQUAL(o.queues[0], "celery");
    CU_ASSERT_TRUE(o.concurrency >= 1);
    CU_ASSERT_TRUE(strncmp(o.hostname, "celery@", 7) == 0);
    CU_ASSERT_EQUAL(o.level, LOG_WARNING);
    CU_ASSERT_FALSE(o.task_events);
    worker_options_clear(&o);
}

static void what_is_wrong_is_named(void)
{
    static const struct {
        const char *words[3], *said;
    } cases[] = {
        {{"--concurrency", "many"}, "--concurrency"},
        {{"-c", "-1"}, "--concurrency"},
        {{"-l", "loud"}, "--loglevel"},
        {{"--pool", "gevent"}, "--pool"},
        {{"-O", "best"}, "--optimization"},
        {{"--broker", "http://x"}, "--broker"},
        {{"--result-backend", "db+sqlite://"}, "--result-backend"},
        {{"--nonsense"}, "--nonsense"},
        {{"surplus"}, "surplus"},
        {{"-X", "celery"}, "--queues"},
        {{"--autoscale", "x"}, "--autoscale"},
        {{"-n", "a b"}, "--hostname"},
        {{"--queue-type", "stream"}, "--queue-type"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct worker_options o;
        struct error error = {0};
        CU_ASSERT_FALSE(
            read_words(&o, &error, (const char *const[]){cases[i].words[0], cases[i].words[1], NULL}));
        CU_ASSERT_EQUAL(error.code, ERROR_INVALID);
        if (strstr(error.message, cases[i].said) == NULL) {
            printf("%s: %s\n", cases[i].said, error.message);
            CU_FAIL("the option is not named");
        }
        worker_options_clear(&o);
    }
}

static void node_names_are_expanded_as_celery_does(void)
{
    static const char *const cases[][2] = {
        {NULL, "celery@box.example.com"}, {"w1", "celery@w1"},
        {"w1@%h", "w1@box.example.com"},  {"w1@%n", "w1@box"},
        {"w1@%d", "w1@example.com"},      {"@here", "celery@here"},
        {"w1@", "w1@box.example.com"},    {"100%%@x", "100%@x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *name = node_name_expand(cases[i][0], "box.example.com");
        CU_ASSERT_STRING_EQUAL(name, cases[i][1]);
        free(name);
    }
    char *path = node_format("/run/%n-%h-%d-%p.pid", "w1@box.example.com");
    CU_ASSERT_STRING_EQUAL(path, "/run/w1-box.example.com-example.com-w1@box.example.com.pid");
    free(path);
}

static void help_and_version_answer_beside_mistakes(void)
{
    struct worker_options o;
    CU_ASSERT_TRUE(READ(&o, NULL, "--nonsense", "--help"));
    CU_ASSERT_EQUAL(o.action, WORKER_HELP);
    worker_options_clear(&o);
    CU_ASSERT_TRUE(READ(&o, NULL, "-c", "x", "--version"));
    CU_ASSERT_EQUAL(o.action, WORKER_VERSION);
    worker_options_clear(&o);
}

UNIT_MAIN("worker options",
          {"the names operators know are understood", the_names_operators_know_are_understood},
          {"without options Celery's defaults hold", without_options_celery_s_defaults_hold},
          {"what is wrong is named", what_is_wrong_is_named},
          {"node names are expanded as Celery does", node_names_are_expanded_as_celery_does},
          {"help and version answer beside mistakes", help_and_version_answer_beside_mistakes})
