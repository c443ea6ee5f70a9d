#include "schemas/initiate.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

/* Checks `text` against a maximum of 31 days; the problems as "pointer: detail; " in one text, "" when there
 * is none. */
static const char *problems_of(const char *text)
{
    static char all[4096];
    all[0] = '\0';
    json_t *body = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL), *problems, *problem;
    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    struct date_range range;
    bool right = initiate_check(body, 31, &range, &problems);
    CU_ASSERT_EQUAL(right, problems == NULL);
    size_t i, used = 0;
    json_array_foreach(problems, i, problem)
    {
        used += (size_t)snprintf(all + used, sizeof all - used, "%s: %s; ",
                                 json_string_value(json_object_get(problem, "pointer")),
                                 json_string_value(json_object_get(problem, "detail")));
    }
    json_decref(problems);
    json_decref(body);
    return all;
}

static void the_example_of_the_assignment_is_right(void)
{
    json_t *body = json_pack("{s:s, s:s}", "start_date", "2019-08-19", "end_date", "2019-08-25"), *problems;
    struct date_range range;
    CU_ASSERT(initiate_check(body, 31, &range, &problems));
    CU_ASSERT_PTR_NULL(problems);
    CU_ASSERT_STRING_EQUAL(range.start.text, "2019-08-19");
    CU_ASSERT_STRING_EQUAL(range.end.text, "2019-08-25");
    json_decref(body);
}

static void every_problem_is_named(void)
{
    CU_ASSERT_STRING_EQUAL(problems_of("{}"), ": start_date is missing; : end_date is missing; ");
    CU_ASSERT_STRING_EQUAL(problems_of("{\"start_date\": 5, \"end_date\": \"2019-02-29\", \"x\": 1}"),
                           "/start_date: a string of the form YYYY-MM-DD is needed, not a number; "
                           "/end_date: there is no 2019-02-29; /x: there is no such field; ");
}

static void only_an_object_will_do(void)
{
    static const char *const bodies[] = {"[]", "1", "1.5", "null", "true", "\"2019-08-19\""};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        CU_ASSERT_EQUAL(strncmp(problems_of(bodies[i]), ": an object", 11), 0);
}

static void every_other_type_of_a_date_is_refused(void)
{
    static const char *const values[] = {"[]",
                                         "{}",
                                         "1",
                                         "1.5",
                                         "null",
                                         "true",
                                         "\"\"",
                                         "\"2019-08-19\\u0000\"",
                                         "\"2019-08-19T00:00:00\"",
                                         "\"19-08-2019\""};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char body[128];
        (void)snprintf(body, sizeof body, "{\"start_date\": %s, \"end_date\": \"2019-08-19\"}", values[i]);
        CU_ASSERT_EQUAL(strncmp(problems_of(body), "/start_date: ", 13), 0);
    }
}

static void order_and_length_of_the_range_are_checked(void)
{
    CU_ASSERT_STRING_EQUAL(problems_of("{\"start_date\": \"2019-08-20\", \"end_date\": \"2019-08-19\"}"),
                           "/end_date: the range ends (2019-08-19) before it starts (2019-08-20); ");
    CU_ASSERT_STRING_EQUAL(problems_of("{\"start_date\": \"2019-08-01\", \"end_date\": \"2019-09-01\"}"),
                           "/end_date: the range has 32 days, more than the 31 that are allowed; ");
    CU_ASSERT_STRING_EQUAL(problems_of("{\"start_date\": \"2019-08-01\", \"end_date\": \"2019-08-31\"}"), "");
}

static void names_in_pointers_are_escaped(void)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(problems_of("{\"a/b~c\": 1}"), "/a~1b~0c: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(problems_of("{\"\": 1}"), "/: there is"));
}

static void names_are_compared_to_the_letter(void)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(problems_of("{\"Start_Date\": \"2019-08-19\"}"), "start_date is missing"));
    CU_ASSERT_PTR_NOT_NULL(strstr(problems_of("{\"start_date \": \"2019-08-19\"}"), "start_date is missing"));
}

UNIT_MAIN("the body of /initiate",
          {"the example of the assignment is right", the_example_of_the_assignment_is_right},
          {"every problem is named", every_problem_is_named},
          {"only an object will do", only_an_object_will_do},
          {"every other type of a date is refused", every_other_type_of_a_date_is_refused},
          {"order and length of the range are checked", order_and_length_of_the_range_are_checked},
          {"names in pointers are escaped", names_in_pointers_are_escaped},
          {"names are compared to the letter", names_are_compared_to_the_letter})
