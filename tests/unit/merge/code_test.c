/* Offset-value codes order lines as their bytes do. */
#include "merge/code.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

static const struct {
    const char *text;
    size_t length;
} lines[] = {
    /* in ascending order */
    {"", 0},
    {"\0", 1},
    {"\0\0", 2},
    {"\0a", 2},
    {"\r", 1},
    {"a", 1},
    {"a\0", 2},
    {"a\0\0\0\0\0\0\0", 8},
    {"a\t", 2},
    {"abcde", 5},
    {"abcdef", 6},
    {"abcdef\0", 7},
    {"abcdef\0\0\0\0\0\0", 12},
    {"abcdefg", 7},
    {"abcdefghijkl", 12},
    {"abcdefghijklm", 13},
    {"abcdeg", 6},
    {"b", 1},
    {"\x7f", 1},
    {"\x80", 1},
    {"\xc3\xa9", 2},
    {"\xff", 1},
    {"\xff\xff\xff\xff\xff\xff\xff\xff", 8},
};
#define LINES (sizeof lines / sizeof lines[0])

/* A copy with slack whose content is not zero: what lies behind a line must not count. */
static char *copy(size_t line, char fill)
{
    char *data = malloc(lines[line].length + CODE_SLACK);
    memset(data, fill, lines[line].length + CODE_SLACK);
    memcpy(data, lines[line].text, lines[line].length);
    return data;
}

static void a_line_is_coded_against_any_that_is_not_greater(void)
{
    for (size_t base = 0; base < LINES; base++) {
        char *base_line = copy(base, 'x');
        uint64_t before = CODE_EQUAL;
        for (size_t i = 0; i < LINES; i++) {
            char *line = copy(i, '\0');
            uint64_t code;
            bool ok = code_against(base_line, lines[base].length, line, lines[i].length, &code);
            CU_ASSERT_EQUAL(ok, i >= base);
            if (i == base)
                CU_ASSERT_EQUAL(code, CODE_EQUAL);
            if (i > base) {
                CU_ASSERT(code >= before);
                CU_ASSERT(code > CODE_EQUAL && code < CODE_END);
                before = code;
            }
            free(line);
        }
        free(base_line);
    }
}

static void equal_codes_tell_how_many_bytes_are_shared(void)
{
    for (size_t base = 0; base < LINES; base++) {
        char *base_line = copy(base, 'x');
        for (size_t i = base + 1; i + 1 < LINES; i++) {
            char *one = copy(i, 'y'), *other = copy(i + 1, 'z');
            uint64_t one_code, other_code;
            code_against(base_line, lines[base].length, one, lines[i].length, &one_code);
            code_against(base_line, lines[base].length, other, lines[i + 1].length, &other_code);
            if (one_code == other_code) {
                size_t shared = code_shared(one_code);
                CU_ASSERT(shared <= lines[i].length && shared <= lines[i + 1].length);
                CU_ASSERT(memcmp(one, other, shared) == 0);
            } else {
                CU_ASSERT(one_code < other_code);
            }
            free(one);
            free(other);
        }
        free(base_line);
    }
}

static void lines_that_share_more_than_a_code_can_say_have_equal_codes(void)
{
    size_t length = 100000;
    char *lines3[3];
    uint64_t codes[3];
    for (size_t i = 0; i < 3; i++) {
        lines3[i] = malloc(length + CODE_SLACK);
        memset(lines3[i], 'a', length + CODE_SLACK);
        lines3[i][length - 1] = (char)('a' + i);
    }
    for (size_t i = 1; i < 3; i++)
        CU_ASSERT(code_against(lines3[0], length, lines3[i], length, &codes[i]));
    CU_ASSERT_EQUAL(codes[1], codes[2]);
    CU_ASSERT(codes[1] != CODE_EQUAL);
    CU_ASSERT(code_shared(codes[1]) < length);
    for (size_t i = 0; i < 3; i++)
        free(lines3[i]);
}

UNIT_MAIN("offset-value codes",
          {"a line is coded against any that is not greater, and codes rise as lines do",
           a_line_is_coded_against_any_that_is_not_greater},
          {"equal codes tell how many bytes are shared", equal_codes_tell_how_many_bytes_are_shared},
          {"lines that share more than a code can say have equal codes",
           lines_that_share_more_than_a_code_can_say_have_equal_codes})
