/* What a merge refuses, what its errors say, and how it ends early. */
#include "tests/unit/merge/memory.h"
#include "tests/unit/unit.h"

static void expect(struct memory_source *sources, size_t count, const struct merge_options *options,
                   enum error_code code, const char *message)
{
    struct memory_sink sink = memory_sink();
    struct error error = {0};
    CU_ASSERT(!memory_merge(sources, count, &sink, options, NULL, &error));
    CU_ASSERT_EQUAL(error.code, code);
    CU_ASSERT_STRING_EQUAL(error.message, message);
    bytes_clear(&sink.bytes);
}

static void an_unsorted_input_is_refused_by_name_line_and_reason(void)
{
    const char good[] = "a\nb\n", bad[] = "a\nc\nc\nb \"x\\\x01\xff\nd\n";
    struct memory_source sources[] = {memory_source("logs/2019-08-17_1", good, sizeof good - 1),
                                      memory_source("logs/2019-08-17_2", bad, sizeof bad - 1)};
    expect(sources, 2, NULL, ERROR_UNSORTED,
           "logs/2019-08-17_2 is not sorted: line 4, \"b \\\"x\\\\\\x01\\xff\", comes after \"c\"");
}

static void unsorted_lines_are_quoted_by_their_starts(void)
{
    char text[256];
    memset(text, 'b', 100);
    memset(text + 100, 'a', 100);
    text[99] = text[199] = '\n';
    struct memory_source source = memory_source("logs/x", text, 200);
    struct error error = {0};
    struct memory_sink sink = memory_sink();
    CU_ASSERT(!memory_merge(&source, 1, &sink, NULL, NULL, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_UNSORTED);
    CU_ASSERT(strstr(error.message, "line 2, \"aaaa") != NULL);
    CU_ASSERT(strstr(error.message, "aaa\"..., comes after \"bbb") != NULL);
    CU_ASSERT(strlen(error.message) < 200);
    bytes_clear(&sink.bytes);
}

static void a_line_that_is_shorter_than_the_one_it_begins_is_unsorted_after_it(void)
{
    struct memory_source source = memory_source("logs/x", "ab\na\n", 5);
    expect(&source, 1, NULL, ERROR_UNSORTED, "logs/x is not sorted: line 2, \"a\", comes after \"ab\"");
    struct memory_source empty = memory_source("logs/x", "a\n\n", 3);
    expect(&empty, 1, NULL, ERROR_UNSORTED, "logs/x is not sorted: line 2, \"\", comes after \"a\"");
}

static void a_line_over_the_limit_is_refused_by_name_and_offset(void)
{
    struct merge_options options = {.line_limit = 10};
    for (size_t chunk = 0; chunk < 8; chunk++) {
        struct memory_source sources[] = {memory_source("logs/a", "0\n1234567890\n", 13),
                                          memory_source("logs/b", "a\nb234567890x\n", 14)};
        sources[0].chunk = sources[1].chunk = chunk;
        expect(sources, 2, &options, ERROR_LIMIT,
               "logs/b: line 2, at byte 2, is longer than the limit of 10 bytes");
    }
}

static void a_last_line_over_the_limit_without_newline_is_refused_too(void)
{
    struct merge_options options = {.line_limit = 3};
    struct memory_source source = memory_source("logs/a", "abcd", 4);
    expect(&source, 1, &options, ERROR_LIMIT,
           "logs/a: line 1, at byte 0, is longer than the limit of 3 bytes");
}

/* Lines of 1 MiB among short ones, in several inputs. */
static void lines_larger_than_a_window_are_merged(void)
{
    enum { INPUTS = 3, LONG = 1 << 20 };
    char *texts[INPUTS];
    struct memory_source sources[INPUTS];
    struct memory_sink sink = memory_sink();
    struct error error = {0};
    struct merge_options options = {.memory = INPUTS * MERGE_WINDOW_MINIMUM};
    for (size_t i = 0; i < INPUTS; i++) {
        char *text = texts[i] = malloc(2 * LONG + 10);
        memset(text, 'b', 2 * LONG + 10);
        memcpy(text, "a\n", 2);
        text[2 + LONG - 1] = (char)('b' + (INPUTS - i));
        text[2 + LONG] = '\n';
        text[3 + LONG] = 'c';
        text[3 + 2 * LONG] = '\n';
        memcpy(text + 4 + 2 * LONG, "d\n", 2);
        sources[i] = memory_source("input", text, 6 + 2 * LONG);
        sources[i].chunk = 10000 * (i + 1);
    }
    CU_ASSERT(memory_merge(sources, INPUTS, &sink, &options, NULL, &error));
    CU_ASSERT_EQUAL(sink.bytes.size, INPUTS * (6 + 2 * LONG));
    if (sink.bytes.size == INPUTS * (6 + 2 * LONG)) {
        const char *out = sink.bytes.data;
        CU_ASSERT(memcmp(out, "a\na\na\n", 6) == 0);
        CU_ASSERT(memcmp(out + 6, texts[2] + 2, LONG + 1) == 0);
        CU_ASSERT(memcmp(out + 6 + LONG + 1, texts[1] + 2, LONG + 1) == 0);
        CU_ASSERT(memcmp(out + 6 + 2 * (LONG + 1), texts[0] + 2, LONG + 1) == 0);
        CU_ASSERT(memcmp(out + sink.bytes.size - 6, "d\nd\nd\n", 6) == 0);
    }
    bytes_clear(&sink.bytes);
    for (size_t i = 0; i < INPUTS; i++)
        free(texts[i]);
}

static void long_lines_of_many_inputs_stay_within_the_memory_limit(void)
{
    enum { INPUTS = 4, LONG = 1 << 20 };
    char *text = malloc(LONG + 1);
    memset(text, 'x', LONG);
    text[LONG] = '\n';
    struct memory_source sources[INPUTS];
    for (size_t i = 0; i < INPUTS; i++)
        sources[i] = memory_source("logs/long", text, LONG + 1);
    struct merge_options options = {.memory_limit = 3 * LONG};
    expect(sources, INPUTS, &options, ERROR_LIMIT,
           "logs/long: line 1 does not fit: long lines of all inputs need more than 3145728 bytes of memory");
    free(text);
}

static void more_inputs_than_fit_are_refused_without_storage(void)
{
    struct memory_source sources[3];
    for (size_t i = 0; i < 3; i++)
        sources[i] = memory_source("x", "a\n", 2);
    struct merge_options options = {.memory = 2 * MERGE_WINDOW_MINIMUM};
    expect(sources, 3, &options, ERROR_LIMIT,
           "3 inputs are more than the 2 that fit into 8192 bytes of memory");
}

static void errors_of_sources_and_sink_are_passed_up(void)
{
    char text[20000];
    memset(text, 'x', sizeof text);
    for (size_t i = 9; i < sizeof text; i += 10)
        text[i] = '\n';
    struct merge_options options = {.memory = 2 * MERGE_WINDOW_MINIMUM};
    struct memory_source failing[] = {memory_source("logs/a", text, sizeof text),
                                      memory_source("logs/b", text, sizeof text)};
    failing[1].fail_at = 5000;
    expect(failing, 2, &options, ERROR_UNAVAILABLE, "logs/b: the store is away");

    struct memory_source source = memory_source("logs/a", text, sizeof text);
    struct memory_sink sink = memory_sink();
    sink.fail_after = 100;
    struct error error = {0};
    CU_ASSERT(!memory_merge(&source, 1, &sink, NULL, NULL, &error));
    CU_ASSERT_STRING_EQUAL(error.message, "the disk is full");
    bytes_clear(&sink.bytes);
}

struct stop {
    uint64_t after;
    uint64_t last;
    bool rising;
};

static bool go_on(void *context, const struct merge_counters *counters)
{
    struct stop *stop = context;
    stop->rising = stop->rising && counters->bytes_written > stop->last;
    stop->last = counters->bytes_written;
    return counters->bytes_written < stop->after;
}

static void a_merge_can_be_cancelled_and_watched(void)
{
    size_t size = 4 << 20;
    char *text = malloc(size);
    memset(text, 'x', size);
    for (size_t i = 99; i < size; i += 100)
        text[i] = '\n';
    for (size_t pass = 0; pass < 2; pass++) {
        struct memory_source sources[] = {memory_source("a", text, size / 100 * 100),
                                          memory_source("b", text, size / 100 * 100)};
        struct stop stop = {.after = pass == 0 ? size : UINT64_MAX, .rising = true};
        struct merge_options options = {.proceed = go_on, .context = &stop};
        struct merge_counters counters;
        struct memory_sink sink = memory_sink();
        struct error error = {0};
        CU_ASSERT_EQUAL(memory_merge(sources, 2, &sink, &options, &counters, &error), pass == 1);
        CU_ASSERT_EQUAL(error.code, pass == 0 ? ERROR_CANCELLED : ERROR_NONE);
        CU_ASSERT(stop.rising);
        CU_ASSERT_EQUAL(stop.last, counters.bytes_written);
        CU_ASSERT_EQUAL(counters.bytes_written, sink.bytes.size);
        if (pass == 1)
            CU_ASSERT_EQUAL(counters.bytes_read, 2 * (size / 100 * 100));
        bytes_clear(&sink.bytes);
    }
    free(text);
}

UNIT_MAIN("limits of a merge",
          {"an unsorted input is refused by name, line and reason",
           an_unsorted_input_is_refused_by_name_line_and_reason},
          {"unsorted lines are quoted by their starts", unsorted_lines_are_quoted_by_their_starts},
          {"a line that is shorter than the one it begins is unsorted after it",
           a_line_that_is_shorter_than_the_one_it_begins_is_unsorted_after_it},
          {"a line over the limit is refused by name and offset",
           a_line_over_the_limit_is_refused_by_name_and_offset},
          {"a last line over the limit without newline is refused too",
           a_last_line_over_the_limit_without_newline_is_refused_too},
          {"lines larger than a window are merged", lines_larger_than_a_window_are_merged},
          {"long lines of many inputs stay within the memory limit",
           long_lines_of_many_inputs_stay_within_the_memory_limit},
          {"more inputs than fit are refused without storage",
           more_inputs_than_fit_are_refused_without_storage},
          {"errors of sources and sink are passed up", errors_of_sources_and_sink_are_passed_up},
          {"a merge can be cancelled and watched", a_merge_can_be_cancelled_and_watched})
