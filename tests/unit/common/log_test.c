#include "common/log.h"
#include "tests/unit/unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Writes one line into a file and returns it. */
static char *line_of(enum log_level level, const char *task, const char *text)
{
    static char line[8192];
    char path[] = "/tmp/log-test-XXXXXX";
    int fd = mkstemp(path);
    CU_ASSERT(log_open(path, NULL));
    log_write(level, task, "%s", text);
    ssize_t size = read(fd, line, sizeof line - 1);
    line[size < 0 ? 0 : size] = '\0';
    close(fd);
    unlink(path);
    return line;
}

static void a_hostile_message_stays_one_line(void)
{
    char *line = line_of(LOG_INFO, "id", "a\nb\"c\xff");
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "task=id msg=\"a\\u000ab\\\"c\\u00ff\""));
    CU_ASSERT_PTR_EQUAL(strchr(line, '\n'), line + strlen(line) - 1);
}

static void json_lines_are_json(void)
{
    log_set_json(true);
    char *line = line_of(LOG_ERROR, "id", "tab\t quote\" \xc3\xa9 \xed\xa0\x80");
    log_set_json(false);
    json_t *value = json_loads(line, 0, NULL);
    CU_ASSERT_PTR_NOT_NULL(value);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(value, "level")), "ERROR");
    CU_ASSERT_PTR_NOT_NULL(strstr(json_string_value(json_object_get(value, "msg")), "tab\t quote\" \xc3\xa9"));
    json_decref(value);
}

static void what_is_below_the_level_is_not_written(void)
{
    CU_ASSERT_STRING_EQUAL(line_of(LOG_DEBUG, NULL, "quiet"), "");
}

static void levels_have_celerys_names(void)
{
    enum log_level level;
    CU_ASSERT(log_parse_level("warning", &level) && level == LOG_WARNING);
    CU_ASSERT(log_parse_level("FATAL", &level) && level == LOG_CRITICAL);
    CU_ASSERT_FALSE(log_parse_level("loud", &level));
}

UNIT_MAIN("log", {"a hostile message stays one line", a_hostile_message_stays_one_line},
          {"JSON lines are JSON", json_lines_are_json},
          {"what is below the level is not written", what_is_below_the_level_is_not_written},
          {"levels have Celery's names", levels_have_celerys_names})
