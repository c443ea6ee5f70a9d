#include "common/manual.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static const char *text;
static long number;
static bool flag;

static const struct setting options[] = {
    {"text", 't', "UNIT_TEXT", SETTING_TEXT, &text, "a-b", 0, 0, "PATH", "A text.", false},
    {"number", 0, "UNIT_NUMBER", SETTING_INTEGER, &number, "7", 1, 9, "N", "A number.", false},
    {"flag", 0, "UNIT_FLAG", SETTING_FLAG, &flag, "0", 0, 0, NULL, "A flag.", false},
    {"secret", 0, NULL, SETTING_TEXT, &text, "hidden", 0, 0, NULL, ".dot, 'quote' and C:\\path", true},
    {0},
};

/* The page; freed by the caller. */
static char *page(const char *about)
{
    static const struct manual_entry exit_codes[] = {{"0", "All went well."}, {NULL, NULL}};
    const struct manual manual = {
        .program = "build/a-program",
        .version = "1.2",
        .summary = "a program",
        .about = about,
        .options = options,
        .exit_codes = exit_codes,
    };
    char *written = NULL;
    size_t size;
    FILE *to = open_memstream(&written, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(to);
    manual_print(&manual, to);
    (void)fclose(to);
    return written;
}

static bool has(const char *written, const char *wanted)
{
    return strstr(written, wanted) != NULL;
}

static void options_stand_with_what_is_known_of_them(void)
{
    char *written = page("About.\n");
    CU_ASSERT(has(written, ".TH A-PROGRAM 1 "));
    CU_ASSERT(has(written, ".SH NAME\na\\-program \\- a program\n"));
    CU_ASSERT(has(written, ".TP\n\\fB\\-t\\fR, \\fB\\-\\-text\\fR \\fIPATH\\fR\nA text.\nDefault: a\\-b.\n"
                           "Variable: \\fBUNIT_TEXT\\fR.\n"));
    CU_ASSERT(has(written, ".TP\n\\fB\\-\\-number\\fR \\fIN\\fR\nA number.\nFrom 1 to 9.\nDefault: 7.\n"));
    CU_ASSERT(has(written, ".TP\n\\fB\\-\\-flag\\fR\nA flag.\nVariable: \\fBUNIT_FLAG\\fR.\n"));
    CU_ASSERT(has(written, ".TP\n\\fBUNIT_FLAG\\fR\n1 or 0: as \\-\\-flag.\n"));
    CU_ASSERT(has(written, ".SH EXIT STATUS\n.TP\n\\fB0\\fR\nAll went well.\n"));
    CU_ASSERT_FALSE(has(written, "hidden"));
    CU_ASSERT_FALSE(has(written, "SIGNALS"));
    free(written);
}

static void what_roff_would_take_for_its_own_is_escaped(void)
{
    char *written = page(".one\n'two\n\n\\three\n");
    CU_ASSERT(has(written, "\n\\&.one\n.br\n\\&'two\n.PP\n\\ethree\n"));
    CU_ASSERT(has(written, "\n\\&.dot, 'quote' and C:\\epath\n"));
    free(written);
}

UNIT_MAIN("manual", {"options stand with what is known of them", options_stand_with_what_is_known_of_them},
          {"what roff would take for its own is escaped", what_roff_would_take_for_its_own_is_escaped})
