#include "api/jobs.h"
#include "api/problem.h"
#include "api/routes.h"
#include "tests/unit/unit.h"

#include <ctype.h>
#include <string.h>

static const struct route download = {"GET", "/download/:id", NULL};

static void a_path_is_its_segments(void)
{
    CU_ASSERT(route_takes_path(&download, "/download/x"));
    CU_ASSERT(route_takes_path(&download, "/download/x/"));
    CU_ASSERT(route_takes_path(&download, "//download//x"));
    CU_ASSERT_FALSE(route_takes_path(&download, "/download"));
    CU_ASSERT_FALSE(route_takes_path(&download, "/download/"));
    CU_ASSERT_FALSE(route_takes_path(&download, "/download/x/y"));
    CU_ASSERT_FALSE(route_takes_path(&download, "/downloads/x"));
    CU_ASSERT_FALSE(route_takes_path(&download, "/Download/x"));
    CU_ASSERT_FALSE(route_takes_path(&download, ""));
    CU_ASSERT_FALSE(route_takes_path(&download, "/"));
}

static void what_a_path_takes_is_read_from_the_table(void)
{
    char allow[128];
    CU_ASSERT(routes_allow("/initiate", allow, sizeof allow));
    CU_ASSERT_STRING_EQUAL(allow, "POST, OPTIONS");
    CU_ASSERT(routes_allow("/download/x", allow, sizeof allow));
    CU_ASSERT_STRING_EQUAL(allow, "GET, HEAD, DELETE, OPTIONS");
    CU_ASSERT_FALSE(routes_allow("/nothing", allow, sizeof allow));
    CU_ASSERT_FALSE(routes_allow("/", allow, sizeof allow));
}

static void what_takes_get_takes_head(void)
{
    for (const struct route *route = routes; route->method != NULL; route++) {
        char allow[128];
        CU_ASSERT(routes_allow(route->path, allow, sizeof allow));
        CU_ASSERT_EQUAL(strstr(allow, "GET") != NULL, strstr(allow, "HEAD") != NULL);
    }
}

static void every_problem_has_a_type_of_its_own(void)
{
    for (int kind = 0; kind < PROBLEM_KINDS; kind++) {
        const struct problem_type *type = problem_type((enum problem_kind)kind);
        CU_ASSERT_PTR_NOT_NULL_FATAL(type->name);
        CU_ASSERT(type->status >= 400 && type->status < 600);
        CU_ASSERT_PTR_NOT_NULL_FATAL(type->title);
        CU_ASSERT(isupper((unsigned char)type->title[0]));
        for (int other = 0; other < kind; other++)
            CU_ASSERT_STRING_NOT_EQUAL(type->name, problem_type((enum problem_kind)other)->name);
    }
}

static void a_key_is_visible_ascii(void)
{
    char key[JOBS_KEY_SIZE + 1];
    memset(key, 'k', sizeof key);
    key[JOBS_KEY_SIZE] = '\0';
    CU_ASSERT_FALSE(jobs_key_is_valid(key));
    key[JOBS_KEY_SIZE - 1] = '\0';
    CU_ASSERT(jobs_key_is_valid(key));
    CU_ASSERT(jobs_key_is_valid("\"8e03978e-40d5-43e8-bc93-6894a57f9324\""));
    CU_ASSERT_FALSE(jobs_key_is_valid(""));
    CU_ASSERT_FALSE(jobs_key_is_valid("two words"));
    CU_ASSERT_FALSE(jobs_key_is_valid("caf\xc3\xa9"));
    CU_ASSERT_FALSE(jobs_key_is_valid("a\nb"));
}

UNIT_MAIN("the table of routes", {"a path is its segments", a_path_is_its_segments},
          {"what a path takes is read from the table", what_a_path_takes_is_read_from_the_table},
          {"what takes GET takes HEAD", what_takes_get_takes_head},
          {"every problem has a type of its own", every_problem_has_a_type_of_its_own},
          {"an idempotency key is visible ASCII", a_key_is_visible_ascii})
