#include "common/setting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool refuse(const char *from, const char *value, bool secret, const char *wanted, struct error *error)
{
    if (secret)
        return error_set(error, ERROR_INVALID, "%s: %s", from, wanted);
    return error_set(error, ERROR_INVALID, "%s: \"%s\" is not %s", from, value, wanted);
}

static bool in_bounds(const struct setting *setting, double number)
{
    if (setting->minimum == 0 && setting->maximum == 0)
        return true;
    return number >= setting->minimum && number <= setting->maximum;
}

static bool parse_flag(const char *text, bool *flag)
{
    static const char *const yes[] = {"1", "true", "yes", "on"}, *const no[] = {"0", "false", "no", "off", ""};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcasecmp(text, yes[i]) == 0) {
            *flag = true;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        if (strcasecmp(text, no[i]) == 0) {
            *flag = false;
            return true;
        }
    }
    return false;
}

/* Reads "64M": a number, then k, M, G or T for powers of 1024, or nothing. */
static bool parse_size(const char *text, double *bytes)
{
    char *end;
    errno = 0;
    *bytes = strtod(text, &end);
    if (end == text || errno != 0 || !(*bytes >= 0))
        return false;
    static const char units[] = "kMGT";
    if (*end != '\0') {
        const char *unit = strchr(units, *end == 'K' ? 'k' : *end == 'm' ? 'M' : *end == 'g' ? 'G' : *end);
        if (unit == NULL || end[1] != '\0')
            return false;
        for (long i = unit - units; i >= 0; i--)
            *bytes *= 1024;
    }
    return *bytes <= 9e18;
}

/* `from` is how the error names the place: "--limit" or "MERGE_LIMIT". */
static bool assign(const struct setting *setting, const char *from, const char *text, struct error *error)
{
    char wanted[128], *end;
    errno = 0;
    switch (setting->kind) {
    case SETTING_TEXT:
        *(const char **)setting->value = text;
        return true;
    case SETTING_FLAG:
        if (!parse_flag(text, setting->value))
            return refuse(from, text, setting->secret, "yes or no", error);
        return true;
    case SETTING_INTEGER: {
        long number = strtol(text, &end, 10);
        if (end == text || *end != '\0' || errno != 0 || !in_bounds(setting, (double)number)) {
            if (setting->minimum == 0 && setting->maximum == 0)
                return refuse(from, text, setting->secret, "a whole number", error);
            (void)snprintf(wanted, sizeof wanted, "a whole number from %.0f to %.0f", setting->minimum,
                           setting->maximum);
            return refuse(from, text, setting->secret, wanted, error);
        }
        *(long *)setting->value = number;
        return true;
    }
    case SETTING_SECONDS: {
        double number = strtod(text, &end);
        if (end == text || *end != '\0' || errno != 0 || number != number || !in_bounds(setting, number)) {
            (void)snprintf(wanted, sizeof wanted, "a number of seconds from %g to %g", setting->minimum,
                           setting->maximum);
            return refuse(from, text, setting->secret, wanted, error);
        }
        *(double *)setting->value = number;
        return true;
    }
    case SETTING_SIZE: {
        double number;
        if (!parse_size(text, &number) || !in_bounds(setting, number)) {
            (void)snprintf(wanted, sizeof wanted, "a size from %.0f to %.0f bytes (k, M, G for powers of 1024)",
                           setting->minimum, setting->maximum);
            return refuse(from, text, setting->secret, wanted, error);
        }
        *(size_t *)setting->value = (size_t)number;
        return true;
    }
    }
    return true;
}

static const struct setting *find(const struct setting *table, const char *name, size_t length)
{
    for (; table->name != NULL; table++) {
        if (strlen(table->name) == length && strncmp(table->name, name, length) == 0)
            return table;
    }
    return NULL;
}

static const struct setting *find_letter(const struct setting *table, char letter)
{
    for (; table->name != NULL; table++) {
        if (table->letter != 0 && table->letter == letter)
            return table;
    }
    return NULL;
}

bool setting_set(const struct setting *table, const char *name, const char *value, struct error *error)
{
    const struct setting *setting = find(table, name, strlen(name));
    if (setting == NULL)
        return error_set(error, ERROR_INVALID, "no setting \"%s\"", name);
    return assign(setting, name, value, error);
}

bool setting_is_default(const struct setting *table, const char *name)
{
    const struct setting *setting = find(table, name, strlen(name));
    if (setting == NULL)
        return false;
    const char *initial = setting->initial != NULL ? setting->initial : "";
    double bytes = 0;
    bool flag = false;
    switch (setting->kind) {
    case SETTING_TEXT: {
        const char *text = *(const char **)setting->value;
        return strcmp(text != NULL ? text : "", initial) == 0;
    }
    case SETTING_FLAG:
        (void)parse_flag(initial, &flag);
        return *(bool *)setting->value == flag;
    case SETTING_INTEGER:
        return *(long *)setting->value == strtol(initial, NULL, 10);
    case SETTING_SECONDS:
        return *(double *)setting->value == strtod(initial, NULL);
    case SETTING_SIZE:
        (void)parse_size(initial, &bytes);
        return *(size_t *)setting->value == (size_t)bytes;
    }
    return false;
}

static bool read_environment(const struct setting *table, struct error *error)
{
    for (; table->name != NULL; table++) {
        if (table->initial != NULL && !assign(table, table->name, table->initial, error))
            return false;
        const char *value = table->environment ? getenv(table->environment) : NULL;
        if (value == NULL || (value[0] == '\0' && table->kind != SETTING_TEXT))
            continue;
        if (!assign(table, table->environment, value, error))
            return false;
    }
    return true;
}

/* Handles the option at argv[*at]; moves *at to its value where that is an argument of its own. */
static bool read_option(const struct setting *table, int argc, char **argv, int *at, struct error *error)
{
    const char *word = argv[*at], *value = NULL;
    const struct setting *setting;
    char from[64];
    if (word[1] == '-') {
        size_t length = strcspn(word + 2, "=");
        setting = find(table, word + 2, length);
        if (word[2 + length] == '=')
            value = word + 2 + length + 1;
        (void)snprintf(from, sizeof from, "%.*s", (int)(length + 2), word);
    } else {
        setting = find_letter(table, word[1]);
        if (word[2] != '\0')
            value = word + 2;
        (void)snprintf(from, sizeof from, "-%c", word[1]);
    }
    if (setting == NULL)
        return error_set(error, ERROR_INVALID, "no option %s (try --help)", from);
    if (setting->kind == SETTING_FLAG)
        return assign(setting, from, value ? value : "1", error);
    if (value == NULL) {
        if (*at + 1 >= argc)
            return error_set(error, ERROR_INVALID, "%s needs a value: %s", from,
                             setting->metavar ? setting->metavar : "VALUE");
        value = argv[++*at];
    }
    return assign(setting, from, value, error);
}

bool setting_read(const struct setting *table, int argc, char **argv, int *positional, struct error *error)
{
    if (!read_environment(table, error))
        return false;
    int kept = 0;
    bool options = true;
    for (int i = 1; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!read_option(table, argc, argv, &i, error))
                return false;
        } else if (positional == NULL) {
            return error_set(error, ERROR_INVALID, "\"%s\": no argument is expected here (try --help)", argv[i]);
        } else {
            argv[1 + kept++] = argv[i];
        }
    }
    if (positional != NULL)
        *positional = kept;
    return true;
}

/* Prints `text` in lines of at most 100 columns, each behind `indent` spaces. */
static void print_wrapped(const char *text, int indent, FILE *to)
{
    while (*text != '\0') {
        size_t room = (size_t)(100 - indent), length = strlen(text);
        if (length > room) {
            length = room;
            while (length > 0 && text[length] != ' ')
                length--;
            if (length == 0)
                length = room;
        }
        fprintf(to, "%*s%.*s\n", indent, "", (int)length, text);
        text += length;
        while (*text == ' ')
            text++;
    }
}

void setting_print(const struct setting *table, FILE *to)
{
    for (; table->name != NULL; table++) {
        char option[80];
        const char *metavar = table->metavar ? table->metavar : "VALUE";
        bool flag = table->kind == SETTING_FLAG;
        (void)snprintf(option, sizeof option, "%s--%s%s%s", table->letter ? "" : "    ", table->name, flag ? "" : " ",
                       flag ? "" : metavar);
        if (table->letter != 0)
            fprintf(to, "  -%c, %s\n", table->letter, option);
        else
            fprintf(to, "  %s\n", option);
        print_wrapped(table->help, 10, to);
        bool shown = table->initial != NULL && table->initial[0] != '\0' && !table->secret && !flag;
        if (table->environment != NULL || shown)
            fprintf(to, "%10s[%s%s%s%s%s]\n", "", table->environment ? "$" : "",
                    table->environment ? table->environment : "", table->environment && shown ? ", " : "",
                    shown ? "default " : "", shown ? table->initial : "");
    }
}
