#include "common/setting.h"
#include "tests/unit/unit.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *text;
static long number;
static double seconds;
static size_t size;
static bool flag;

static const struct setting table[] = {
    {"text", 't', "UNIT_TEXT", SETTING_TEXT, &text, "initial", 0, 0, "T", "A text.", false},
    {"number", 'n', "UNIT_NUMBER", SETTING_INTEGER, &number, "7", 1, 9, "N", "A number.", false},
    {"seconds", 0, NULL, SETTING_SECONDS, &seconds, "1.5", 0, 10, "S", "A time.", false},
    {"size", 0, NULL, SETTING_SIZE, &size, "2k", 0, 1e12, "BYTES", "A size.", false},
    {"flag", 'f', "UNIT_FLAG", SETTING_FLAG, &flag, "0", 0, 0, NULL, "A flag.", false},
    {"secret", 0, "UNIT_SECRET", SETTING_INTEGER, &number, NULL, 1, 9, "N", "A secret.", true},
    {0},
};

static bool read(struct error *error, int argc, ...)
{
    static char *argv[16];
    va_list words;
    va_start(words, argc);
    argv[0] = "program";
    for (int i = 1; i <= argc; i++)
        argv[i] = va_arg(words, char *);
    va_end(words);
    return setting_read(table, argc + 1, argv, NULL, error);
}

static void defaults_then_environment_then_flags(void)
{
    struct error error = {0};
    CU_ASSERT(read(&error, 0));
    CU_ASSERT_STRING_EQUAL(text, "initial");
    CU_ASSERT_EQUAL(size, 2048);
    setenv("UNIT_TEXT", "environment", 1);
    setenv("UNIT_FLAG", "yes", 1);
    CU_ASSERT(read(&error, 0));
    CU_ASSERT_STRING_EQUAL(text, "environment");
    CU_ASSERT(flag);
    CU_ASSERT(read(&error, 5, "--text=flag", "-n8", "--seconds", "2", "--flag=no"));
    CU_ASSERT_STRING_EQUAL(text, "flag");
    CU_ASSERT_EQUAL(number, 8);
    CU_ASSERT_EQUAL(seconds, 2);
    CU_ASSERT_FALSE(flag);
    unsetenv("UNIT_TEXT");
    unsetenv("UNIT_FLAG");
}

static void what_was_changed_is_known(void)
{
    static const char *const names[] = {"text", "number", "seconds", "size", "flag"};
    static char other[][16] = {"--text=x", "-n8", "--seconds=2", "--size=3k", "--flag"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CU_ASSERT(read(NULL, 0));
        CU_ASSERT(setting_is_default(table, names[i]));
        CU_ASSERT(read(NULL, 1, other[i]));
        CU_ASSERT_FALSE(setting_is_default(table, names[i]));
    }
    CU_ASSERT_FALSE(setting_is_default(table, "nobody"));
}

static void what_is_wrong_is_named(void)
{
    struct error error = {0};
    CU_ASSERT_FALSE(read(&error, 1, "--nonsense"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "--nonsense"));
    CU_ASSERT_FALSE(read(&error, 2, "--number", "10"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "1 to 9"));
    CU_ASSERT_FALSE(read(&error, 1, "--number"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "needs a value"));
    CU_ASSERT_FALSE(read(&error, 1, "stray"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "stray"));
    CU_ASSERT_FALSE(read(&error, 1, "--size=12x"));
    CU_ASSERT_FALSE(read(&error, 1, "--seconds=nan"));
    setenv("UNIT_SECRET", "hidden", 1);
    CU_ASSERT_FALSE(read(&error, 0));
    CU_ASSERT_PTR_NULL(strstr(error.message, "hidden"));
    unsetenv("UNIT_SECRET");
}

static void positional_arguments_come_first_and_counted(void)
{
    char *argv[] = {"program", "one", "--flag", "two", "--", "--three", NULL};
    int positional = 0;
    CU_ASSERT(setting_read(table, 6, argv, &positional, NULL));
    CU_ASSERT_EQUAL(positional, 3);
    CU_ASSERT_STRING_EQUAL(argv[2], "two");
    CU_ASSERT_STRING_EQUAL(argv[3], "--three");
}

UNIT_MAIN("setting", {"defaults, then the environment, then flags", defaults_then_environment_then_flags},
          {"what was changed is known", what_was_changed_is_known},
          {"what is wrong is named, but no secret", what_is_wrong_is_named},
          {"positional arguments come first and are counted", positional_arguments_come_first_and_counted})
