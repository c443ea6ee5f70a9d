/* The body of POST /initiate: whatever the bytes, it is refused with a reason, or is a range of days that
 * exist. */
#include "common/clock.h"
#include "schemas/initiate.h"
#include "schemas/strict_json.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_problems(const json_t *problems)
{
    size_t i;
    json_t *problem;
    check(json_array_size(problems) > 0);
    json_array_foreach(problems, i, problem)
    {
        const char *pointer = json_string_value(json_object_get(problem, "pointer"));
        const char *detail = json_string_value(json_object_get(problem, "detail"));
        check(pointer != NULL && (pointer[0] == '\0' || pointer[0] == '/'));
        check(detail != NULL && detail[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    struct date_range range;
    json_t *problems, *body = strict_json_read((const char *)data, size, &error);
    if (body == NULL) {
        check(error.code != ERROR_NONE && error.message[0] != '\0');
        return 0;
    }
    if (initiate_check(body, 3660, &range, &problems)) {
        double wall;
        check(date_range_days(&range) >= 1 && date_range_days(&range) <= 3660);
        check(strlen(range.start.text) == 10 && clock_parse_iso8601(range.start.text, true, &wall));
        check(strlen(range.end.text) == 10 && clock_parse_iso8601(range.end.text, true, &wall));
        check(json_object_size(body) == 2);
    } else {
        check_problems(problems);
        json_decref(problems);
    }
    json_decref(body);
    return 0;
}
