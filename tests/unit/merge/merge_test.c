/* What a merge makes of lines of all kinds. */
#include "tests/unit/merge/memory.h"
#include "tests/unit/unit.h"

struct text {
    const char *data;
    size_t size;
};

#define TEXT(literal)                                                                                        \
    {                                                                                                        \
        literal, sizeof(literal) - 1                                                                         \
    }

static void check(const struct text *inputs, size_t count, struct text expected)
{
    static const char *const names[] = {"input-0", "input-1", "input-2", "input-3"};
    for (size_t chunk = 0; chunk < 4; chunk++) {
        struct memory_source sources[4];
        for (size_t i = 0; i < count; i++) {
            sources[i] = memory_source(names[i], inputs[i].data, inputs[i].size);
            sources[i].chunk = chunk;
        }
        struct memory_sink sink = memory_sink();
        struct merge_counters counters;
        struct error error = {0};
        CU_ASSERT(memory_merge(sources, count, &sink, NULL, &counters, &error));
        CU_ASSERT_EQUAL(sink.bytes.size, expected.size);
        if (sink.bytes.size == expected.size && expected.size > 0)
            CU_ASSERT(memcmp(sink.bytes.data, expected.data, expected.size) == 0);
        CU_ASSERT_EQUAL(counters.bytes_written, expected.size);
        CU_ASSERT_EQUAL(counters.sources_done, count);
        size_t lines = 0;
        for (size_t i = 0; i < expected.size; i++)
            lines += expected.data[i] == '\n';
        CU_ASSERT_EQUAL(counters.lines, lines);
        bytes_clear(&sink.bytes);
    }
}

#define CHECK(expected, ...)                                                                                 \
    do {                                                                                                     \
        const struct text inputs[] = {__VA_ARGS__};                                                          \
        check(inputs, sizeof inputs / sizeof inputs[0], (struct text)TEXT(expected));                        \
    } while (0)

static void no_input_gives_an_empty_output(void)
{
    check(NULL, 0, (struct text)TEXT(""));
}

static void inputs_without_bytes_give_an_empty_output(void)
{
    CHECK("", TEXT(""));
    CHECK("", TEXT(""), TEXT(""), TEXT(""));
    CHECK("a\n", TEXT(""), TEXT("a\n"), TEXT(""));
}

static void lines_of_all_inputs_come_out_in_the_order_of_their_bytes(void)
{
    CHECK("a\nb\nc\nd\ne\nf\n", TEXT("a\nd\n"), TEXT("b\ne\n"), TEXT("c\nf\n"));
    CHECK("A\nZ\na\nz\n", TEXT("A\nz\n"), TEXT("Z\na\n"));
    CHECK("a\n\x7f\n\x80\n\xc3\xa9\n\xff\n", TEXT("\x7f\n\xc3\xa9\n"), TEXT("a\n\x80\n\xff\n"));
}

static void inputs_that_do_not_overlap_follow_one_another(void)
{
    CHECK("a\nb\nc\nd\ne\nf\n", TEXT("e\nf\n"), TEXT("a\nb\n"), TEXT("c\nd\n"));
}

static void one_input_comes_out_as_it_is(void)
{
    CHECK("a\nb\nb\nc\n", TEXT("a\nb\nb\nc\n"));
}

static void a_last_line_without_newline_gets_one(void)
{
    CHECK("a\nb\nc\n", TEXT("a\nc"), TEXT("b"));
    CHECK("a\na\na\n", TEXT("a"), TEXT("a\n"), TEXT("a"));
}

static void equal_lines_all_stay(void)
{
    CHECK("a\na\na\na\nb\nb\n", TEXT("a\na\nb\n"), TEXT("a\na\nb\n"));
    CHECK("same line of some length\nsame line of some length\nsame line of some length\n",
          TEXT("same line of some length\n"), TEXT("same line of some length\n"),
          TEXT("same line of some length\n"));
}

static void empty_lines_are_lines(void)
{
    CHECK("\n\n\n\na\n", TEXT("\n\n"), TEXT("\n\na\n"));
}

static void a_line_that_begins_another_comes_before_it(void)
{
    CHECK("a\na\t\na b\nab\nabc\n", TEXT("a\na b\nabc\n"), TEXT("a\t\nab\n"));
    CHECK("abcdef\nabcdef\x01\nabcdefg\n", TEXT("abcdef\nabcdefg\n"), TEXT("abcdef\x01\n"));
}

static void nuls_and_carriage_returns_are_data(void)
{
    CHECK("\0\n\0\0\na\na\0\na\0b\na\r\nb\n", TEXT("\0\na\na\0b\nb\n"), TEXT("\0\0\na\0\na\r\n"));
}

static void long_common_beginnings_do_not_matter(void)
{
#define STAMP "2019-08-17T12:34:56.789012+00:00 host-a service[123]: "
    CHECK(STAMP "\n" STAMP "a\n" STAMP "b\n" STAMP "b\n" STAMP "c\n" STAMP "d\n",
          TEXT(STAMP "a\n" STAMP "d\n"), TEXT(STAMP "b\n" STAMP "c\n"), TEXT(STAMP "\n" STAMP "b"));
}

UNIT_MAIN("merge", {"no input gives an empty output", no_input_gives_an_empty_output},
          {"inputs without bytes give an empty output", inputs_without_bytes_give_an_empty_output},
          {"lines of all inputs come out in the order of their bytes",
           lines_of_all_inputs_come_out_in_the_order_of_their_bytes},
          {"inputs that do not overlap follow one another", inputs_that_do_not_overlap_follow_one_another},
          {"one input comes out as it is", one_input_comes_out_as_it_is},
          {"a last line without newline gets one", a_last_line_without_newline_gets_one},
          {"equal lines all stay", equal_lines_all_stay}, {"empty lines are lines", empty_lines_are_lines},
          {"a line that begins another comes before it", a_line_that_begins_another_comes_before_it},
          {"NULs and carriage returns are data", nuls_and_carriage_returns_are_data},
          {"long common beginnings do not matter", long_common_beginnings_do_not_matter})
