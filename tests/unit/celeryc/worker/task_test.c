/* Arguments, failures and retries, without a child: what a task's author sees. The expected texts are
 * CPython 3.11's. */
#include "celeryc/worker/task_context.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static const struct celery_task_type add_type = {.name = "demo.add"};

static json_t *parse(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    return value;
}

/* The TypeError of a call of add(x, y), or NULL. */
#define REFUSED(args_text, kwargs_text, expected, format, ...)                                               \
    do {                                                                                                     \
        struct celery_task task;                                                                             \
        json_t *args = parse(args_text), *kwargs = parse(kwargs_text);                                       \
        task_context_init(&task, &add_type, NULL);                                                           \
        CU_ASSERT_FALSE(celery_args(&task, args, kwargs, format, __VA_ARGS__));                              \
        CU_ASSERT_EQUAL_FATAL(task.fate, FATE_FAILED);                                                       \
        CU_ASSERT_STRING_EQUAL(task.exc_type, "TypeError");                                                  \
        CU_ASSERT_STRING_EQUAL(task.exc_message, expected);                                                  \
        json_decref(args);                                                                                   \
        json_decref(kwargs);                                                                                 \
        task_context_clear(&task);                                                                           \
    } while (0)

static void wrong_calls_are_refused_in_pythons_words(void)
{
    json_int_t x, y, z;
    json_t *rest;
    REFUSED("[]", "{}", "add() missing 1 required positional argument: 'x'", "x:I", &x);
    REFUSED("[]", "{}", "add() missing 2 required positional arguments: 'x' and 'y'", "x:I y:I", &x, &y);
    REFUSED("[]", "{}", "add() missing 3 required positional arguments: 'x', 'y', and 'z'", "x:I y:I z:I", &x,
            &y, &z);
    REFUSED("[]", "{\"y\": 1}", "add() missing 1 required positional argument: 'x'", "x:I y:I", &x, &y);
    REFUSED("[1, 2, 3]", "{}", "add() takes 2 positional arguments but 3 were given", "x:I y:I", &x, &y);
    REFUSED("[1, 2]", "{}", "add() takes 1 positional argument but 2 were given", "x:I", &x);
    REFUSED("[1]", "{}", "add() takes 0 positional arguments but 1 was given", "**kwargs:K", &rest);
    REFUSED("[1, 2, 3]", "{}", "add() takes from 1 to 2 positional arguments but 3 were given", "x:I y:I=2",
            &x, &y);
    REFUSED("[1, 2]", "{\"z\": 1}", "add() got an unexpected keyword argument 'z'", "x:I y:I", &x, &y);
    REFUSED("[1, 2]", "{\"x\": 1}", "add() got multiple values for argument 'x'", "x:I y:I", &x, &y);
    REFUSED("[1]", "{}", "add() missing 1 required keyword-only argument: 'y'", "*args:A y:I", &rest, &y);
}

static void wrong_types_are_refused(void)
{
    json_int_t x;
    double d;
    const char *s;
    bool b;
    REFUSED("[\"1\"]", "{}", "add() argument 'x' must be int, not str", "x:I", &x);
    REFUSED("[1.5]", "{}", "add() argument 'x' must be int, not float", "x:I", &x);
    REFUSED("[null]", "{}", "add() argument 'x' must be float, not NoneType", "x:d", &d);
    REFUSED("[{}]", "{}", "add() argument 'x' must be str, not dict", "x:s", &s);
    REFUSED("[1]", "{}", "add() argument 'x' must be str or None, not int", "x:s=null", &s);
    REFUSED("[1]", "{}", "add() argument 'x' must be bool, not int", "x:b", &b);
}

static void arguments_come_by_place_by_name_and_by_default(void)
{
    struct celery_task task;
    json_t *args = parse("[1, true, \"three\", 4, 5]"), *kwargs = parse("{\"k\": null, \"more\": [1]}");
    json_int_t x;
    double d;
    const char *s, *t;
    json_t *rest, *more, *k;
    bool b;
    task_context_init(&task, &add_type, NULL);
    CU_ASSERT(celery_args(&task, args, kwargs, "x:I d:d s:s *args:A k:o t:s=\"a b\" b:b=true **kwargs:K", &x,
                          &d, &s, &rest, &k, &t, &b, &more));
    CU_ASSERT(x == 1 && d == 1.0 && b);
    CU_ASSERT_STRING_EQUAL(s, "three");
    CU_ASSERT_STRING_EQUAL(t, "a b");
    CU_ASSERT(json_is_null(k));
    CU_ASSERT_EQUAL(json_array_size(rest), 2);
    CU_ASSERT_PTR_NOT_NULL(json_object_get(more, "more"));
    CU_ASSERT_EQUAL(json_object_size(more), 1);
    task_context_clear(&task);
    json_decref(args);
    json_decref(kwargs);
}

static void text_with_a_nul_is_refused_where_c_text_is_wanted(void)
{
    struct celery_task task;
    const char *s;
    json_t *args = parse("[\"a\\u0000b\"]"), *kwargs = parse("{}");
    task_context_init(&task, &add_type, NULL);
    CU_ASSERT_FALSE(celery_args(&task, args, kwargs, "s:s", &s));
    CU_ASSERT_STRING_EQUAL(task.exc_type, "ValueError");
    task_context_clear(&task);
    json_decref(args);
    json_decref(kwargs);
}

static void a_malformed_list_of_parameters_is_the_programs_error(void)
{
    static const char *const formats[] = {"x", "x:", ":I", "x:Q", "x:I=", "x:I=1 y:I", "***k:K", "*a:A *b:A"};
    void *to[4] = {NULL};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct celery_task task;
        json_t *args = json_array(), *kwargs = json_object();
        task_context_init(&task, &add_type, NULL);
        CU_ASSERT_FALSE(celery_args(&task, args, kwargs, formats[i], &to[0], &to[1], &to[2], &to[3]));
        CU_ASSERT_STRING_EQUAL_FATAL(task.exc_type, "SystemError");
        task_context_clear(&task);
        json_decref(args);
        json_decref(kwargs);
    }
}

static void the_first_failure_counts(void)
{
    struct celery_task task;
    task_context_init(&task, &add_type, NULL);
    CU_ASSERT_PTR_NULL(celery_fail(&task, "ValueError", "first"));
    CU_ASSERT_PTR_NULL(celery_fail(&task, "KeyError", "second"));
    CU_ASSERT_PTR_NULL(celery_reject(&task, "third", true));
    CU_ASSERT_EQUAL(task.fate, FATE_FAILED);
    CU_ASSERT_STRING_EQUAL(task.exc_message, "first");
    task_context_clear(&task);
}

static void an_exception_may_have_arguments_of_any_kind(void)
{
    struct celery_task task;
    struct error error;
    task_context_init(&task, &add_type, NULL);
    CU_ASSERT_PTR_NULL(celery_fail_with(&task, "shop.Sold", parse("[\"it's\", 2, null]")));
    CU_ASSERT_STRING_EQUAL(task.exc_message, "(\"it's\", 2, None)");
    char *repr = task_failure_repr(&task, &error);
    CU_ASSERT_STRING_EQUAL(repr, "Sold(\"it's\", 2, None)");
    json_t *stored = task_failure_value(&task);
    json_t *expected =
        parse("{\"exc_type\": \"Sold\", \"exc_message\": [\"it's\", 2, null], \"exc_module\": \"shop\"}");
    CU_ASSERT(json_equal(stored, expected));
    json_decref(stored);
    json_decref(expected);
    free(repr);
    task_context_clear(&task);
}

static void one_argument_is_the_message(void)
{
    struct celery_task task;
    task_context_init(&task, &add_type, NULL);
    celery_fail_with(&task, "KeyError", parse("[7]"));
    CU_ASSERT_STRING_EQUAL(task.exc_message, "7");
    task_context_clear(&task);
    task_context_init(&task, &add_type, NULL);
    celery_fail_with(&task, "KeyError", parse("[]"));
    CU_ASSERT_PTR_NULL(task.exc_message);
    task_context_clear(&task);
}

static void a_message_is_utf_8_whatever_it_quotes(void)
{
    struct celery_task task;
    task_context_init(&task, &add_type, NULL);
    celery_fail(&task, "ValueError", "%s", "key \xff\xc3\xa4\xc3");
    CU_ASSERT_STRING_EQUAL(task.exc_message, "key \\xff\xc3\xa4\\xc3");
    task_context_clear(&task);
}

static void a_traceback_looks_like_pythons(void)
{
    struct celery_task task;
    task_context_init(&task, &add_type, NULL);
    celery_fail(&task, "ValueError", "no");
    char *text = task_traceback(&task);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(strncmp(text, "Traceback (most recent call last):\n  File \"", 43), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "in demo.add\nValueError: no\n"));
    free(text);
    task_context_clear(&task);
}

static const char *const causes[] = {"OSError", "shop.Busy", NULL};
static const struct celery_task_type retrying = {
    .name = "demo.r", .autoretry_for = causes, .retry_backoff = 2, .no_retry_jitter = true, .max_retries = 2};

static void start(struct celery_task *task, const struct celery_task_type *type, int retries)
{
    task_context_init(task, type, NULL);
    task->message = calloc(1, sizeof *task->message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(task->message);
    task->message->id = "some-id";
    task->message->retries = retries;
    task->body.args = parse("[1, \"a\"]");
    task->body.kwargs = parse("{\"k\": 2}");
}

static void named_exceptions_retry_with_growing_delays(void)
{
    struct celery_task task;
    for (int retries = 0; retries < 2; retries++) {
        start(&task, &retrying, retries);
        celery_fail(&task, "shop.Busy", "later");
        task_autoretry(&task);
        CU_ASSERT_EQUAL(task.fate, FATE_RETRY);
        CU_ASSERT_EQUAL(task.retry_countdown, retries == 0 ? 2 : 4);
        task_context_clear(&task);
    }
    start(&task, &retrying, 2);
    celery_fail(&task, "OSError", "still");
    task_autoretry(&task);
    CU_ASSERT_EQUAL(task.fate, FATE_FAILED);
    task_context_clear(&task);
    start(&task, &retrying, 0);
    celery_fail(&task, "ValueError", "no");
    task_autoretry(&task);
    CU_ASSERT_EQUAL(task.fate, FATE_FAILED);
    task_context_clear(&task);
}

static void the_delay_is_bounded_and_jitter_stays_below_it(void)
{
    CU_ASSERT_EQUAL(task_backoff(1, 0, 600, false), 1);
    CU_ASSERT_EQUAL(task_backoff(3, 4, 600, false), 48);
    CU_ASSERT_EQUAL(task_backoff(1, 5000, 600, false), 600);
    CU_ASSERT_EQUAL(task_backoff(0.2, 1, 600, false), 2);
    for (int i = 0; i < 1000; i++) {
        double delay = task_backoff(1, 3, 600, true);
        CU_ASSERT(delay >= 0 && delay <= 8 && delay == (double)(int)delay);
    }
}

static void used_up_retries_say_what_python_says(void)
{
    struct celery_task task;
    start(&task, &add_type, 3);
    celery_retry(&task, NULL);
    CU_ASSERT_EQUAL(task.fate, FATE_FAILED);
    CU_ASSERT_STRING_EQUAL(task.exc_type, "celery.exceptions.MaxRetriesExceededError");
    CU_ASSERT_STRING_EQUAL(task.exc_message, "Can't retry demo.add[some-id] args:(1, 'a') kwargs:{'k': 2}");
    task_context_clear(&task);
    start(&task, &add_type, 3);
    celery_retry(&task, &(struct celery_retry){.type = "OSError", .message = "gone"});
    CU_ASSERT_STRING_EQUAL(task.exc_type, "OSError");
    task_context_clear(&task);
    start(&task, &add_type, 3);
    celery_retry(&task, &(struct celery_retry){.max_retries = CELERY_UNLIMITED, .countdown = -1});
    CU_ASSERT(task.fate == FATE_RETRY && task.retry_countdown == 0 && task.exc_type == NULL);
    task_context_clear(&task);
    start(&task, &add_type, 0);
    celery_retry(&task, NULL);
    CU_ASSERT(task.fate == FATE_RETRY && task.retry_countdown == 180);
    task_context_clear(&task);
    start(&task, &add_type, 0);
    celery_retry(&task, &(struct celery_retry){.max_retries = CELERY_NEVER});
    CU_ASSERT_EQUAL(task.fate, FATE_FAILED);
    task_context_clear(&task);
}

static void bytes_come_as_text_or_in_kombus_forms(void)
{
    static const struct {
        const char *value, *bytes;
    } cases[] = {{"\"text\"", "text"},
                 {"{\"__type__\": \"bytes\", \"__value__\": \"some bytes\"}", "some bytes"},
                 {"{\"__type__\": \"base64\", \"__value__\": \"/w==\"}", "\xff"},
                 {"{\"__type__\": \"base64\", \"__value__\": \"\"}", ""},
                 {"{\"__type__\": \"base64\", \"__value__\": \"/w=\"}", NULL},
                 {"{\"__type__\": \"base64\", \"__value__\": \"?w==\"}", NULL},
                 {"{\"__type__\": \"uuid\", \"__value__\": \"x\"}", NULL},
                 {"{\"__type__\": \"bytes\", \"__value__\": 1}", NULL},
                 {"[1]", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = 99;
        json_t *value = parse(cases[i].value);
        char *bytes = celery_value_bytes(value, &size);
        CU_ASSERT_EQUAL(bytes == NULL, cases[i].bytes == NULL);
        if (bytes != NULL && cases[i].bytes != NULL) {
            CU_ASSERT_STRING_EQUAL(bytes, cases[i].bytes);
            CU_ASSERT_EQUAL(size, strlen(cases[i].bytes));
        }
        free(bytes);
        json_decref(value);
    }
}

static const char *const foo_bar[] = {"foo", "bar", NULL};
static const struct celery_task_type named = {.name = "demo.named", .parameters = foo_bar};

/* What a retry of named(*args, **kwargs) with others is called with. */
static void expect_retry(const char *args, const char *kwargs, struct celery_retry *retry,
                         const char *expected)
{
    struct celery_task task;
    start(&task, &named, 0);
    json_decref(task.body.args);
    json_decref(task.body.kwargs);
    task.body.args = parse(args);
    task.body.kwargs = parse(kwargs);
    CU_ASSERT_PTR_NULL(celery_retry(&task, retry));
    json_t *call = json_pack("[O?, O?]", task.retry_args, task.retry_kwargs), *wanted = parse(expected);
    CU_ASSERT(json_equal(call, wanted));
    json_decref(call);
    json_decref(wanted);
    json_decref(retry->args);
    json_decref(retry->kwargs);
    task_context_clear(&task);
}

static void other_arguments_replace_those_of_the_same_name(void)
{
    expect_retry("[]", "{\"foo\": 1, \"bar\": 2, \"more\": 3}",
                 &(struct celery_retry){.args = parse("[8, 9]")}, "[[8, 9], {\"more\": 3}]");
    expect_retry("[1, 2]", "{}", &(struct celery_retry){.kwargs = parse("{\"foo\": 8}")}, "[[8, 2], {}]");
    expect_retry("[1]", "{}", &(struct celery_retry){.kwargs = parse("{\"bar\": 8}")}, "[[1], {\"bar\": 8}]");
    expect_retry("[1, 2]", "{}", &(struct celery_retry){.args = parse("[3]")}, "[[3], null]");
}

UNIT_MAIN("task", {"wrong calls are refused in Python's words", wrong_calls_are_refused_in_pythons_words},
          {"wrong types are refused", wrong_types_are_refused},
          {"arguments come by place, by name and by default", arguments_come_by_place_by_name_and_by_default},
          {"text with a NUL is refused where C text is wanted",
           text_with_a_nul_is_refused_where_c_text_is_wanted},
          {"a malformed list of parameters is the program's error",
           a_malformed_list_of_parameters_is_the_programs_error},
          {"the first failure counts", the_first_failure_counts},
          {"an exception may have arguments of any kind", an_exception_may_have_arguments_of_any_kind},
          {"one argument is the message", one_argument_is_the_message},
          {"a message is UTF-8 whatever it quotes", a_message_is_utf_8_whatever_it_quotes},
          {"a traceback looks like Python's", a_traceback_looks_like_pythons},
          {"named exceptions retry with growing delays", named_exceptions_retry_with_growing_delays},
          {"the delay is bounded and jitter stays below it", the_delay_is_bounded_and_jitter_stays_below_it},
          {"used-up retries say what Python says", used_up_retries_say_what_python_says},
          {"other arguments replace those of the same name", other_arguments_replace_those_of_the_same_name},
          {"bytes come as text or in kombu's forms", bytes_come_as_text_or_in_kombus_forms})
