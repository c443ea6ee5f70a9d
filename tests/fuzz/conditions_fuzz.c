/* Headers of conditional requests and ranges, a line each: what is sent always lies within the file. */
#include "api/conditional.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check(bool condition)
{
    if (!condition)
        abort();
}

/* The next line of the text, which is taken apart; NULL for an empty line, as for a header that is not there.
 */
static const char *next_line(char **text)
{
    char *line = *text, *end = strchr(line, '\n');
    if (end != NULL) {
        *end = '\0';
        *text = end + 1;
    } else {
        *text = line + strlen(line);
    }
    return line[0] != '\0' ? line : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1), *text = copy;
    check(copy != NULL);
    memcpy(copy, data, size);
    copy[size] = '\0';
    struct conditional_headers headers;
    headers.if_match = next_line(&text);
    headers.if_none_match = next_line(&text);
    headers.if_modified_since = next_line(&text);
    headers.if_unmodified_since = next_line(&text);
    headers.if_range = next_line(&text);
    headers.range = next_line(&text);
    static const uint64_t sizes[] = {0, 1, 1000, UINT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct representation file = {"\"abc-2\"", 784111777, sizes[i]};
        uint64_t first, count;
        (void)conditional_check(&headers, &file);
        enum range_kind kind = conditional_range(&headers, &file, &first, &count);
        check(first <= file.size && count <= file.size - first);
        check(kind != RANGE_PART || count > 0);
        check(kind != RANGE_WHOLE || (first == 0 && count == file.size));
    }
    free(copy);
    return 0;
}
