#include "common/manual.h"

#include <ctype.h>
#include <string.h>

/* When the form of the pages was changed last: man(7) wants a date, and a build none of its own. */
#define MANUAL_DATE "2026-11-26"

/* Writes text so that roff prints it as it is: a hyphen stays one that can be copied, and no line begins with
 * a control character. */
static void put_bytes(const char *text, size_t size, FILE *to)
{
    for (size_t i = 0; i < size; i++) {
        bool begins = i == 0 || text[i - 1] == '\n';
        if (begins && (text[i] == '.' || text[i] == '\''))
            fputs("\\&", to);
        if (text[i] == '\\')
            fputs("\\e", to);
        else if (text[i] == '-')
            fputs("\\-", to);
        else
            fputc(text[i], to);
    }
}

static void put_text(const char *text, FILE *to)
{
    put_bytes(text, strlen(text), to);
}

/* A font, the text in it, and back: roff's \fB...\fR. */
static void put_in_font(char font, const char *text, FILE *to)
{
    fprintf(to, "\\f%c", font);
    put_text(text, to);
    fputs("\\fR", to);
}

/* Lines stay lines; a blank one begins a paragraph. */
static void put_paragraphs(const char *text, FILE *to)
{
    text += strspn(text, "\n");
    while (*text != '\0') {
        size_t length = strcspn(text, "\n"), gap = strspn(text + length, "\n");
        put_bytes(text, length, to);
        text += length + gap;
        fputs(*text == '\0' ? "\n" : gap > 1 ? "\n.PP\n" : "\n.br\n", to);
    }
}

static void put_entries(const char *title, const struct manual_entry *entries, FILE *to)
{
    if (entries == NULL)
        return;
    if (title != NULL)
        fprintf(to, ".SH %s\n", title);
    for (; entries->term != NULL; entries++) {
        fputs(".TP\n", to);
        put_in_font('B', entries->term, to);
        fputc('\n', to);
        put_text(entries->text, to);
        fputc('\n', to);
    }
}

static const char *metavar(const struct setting *setting)
{
    return setting->metavar != NULL ? setting->metavar : "VALUE";
}

static void put_bounds(const struct setting *setting, FILE *to)
{
    if (setting->minimum == 0 && setting->maximum == 0)
        return;
    if (setting->kind == SETTING_TEXT || setting->kind == SETTING_FLAG)
        return;
    fprintf(to, "\nFrom %.15g to %.15g.", setting->minimum, setting->maximum);
}

static void put_option(const struct setting *setting, FILE *to)
{
    char letter[3] = {'-', setting->letter, '\0'}, name[80];
    bool flag = setting->kind == SETTING_FLAG;
    (void)snprintf(name, sizeof name, "--%s", setting->name);
    fputs(".TP\n", to);
    if (setting->letter != 0) {
        put_in_font('B', letter, to);
        fputs(", ", to);
    }
    put_in_font('B', name, to);
    if (!flag) {
        fputc(' ', to);
        put_in_font('I', metavar(setting), to);
    }
    fputc('\n', to);
    put_text(setting->help, to);
    put_bounds(setting, to);
    if (setting->initial != NULL && setting->initial[0] != '\0' && !setting->secret && !flag) {
        fputs("\nDefault: ", to);
        put_text(setting->initial, to);
        fputc('.', to);
    }
    if (setting->environment != NULL) {
        fputs("\nVariable: ", to);
        put_in_font('B', setting->environment, to);
        fputc('.', to);
    }
    fputc('\n', to);
}

/* The variables of the options, each with the option that it stands for. */
static void put_variables(const struct setting *setting, FILE *to)
{
    for (; setting->name != NULL; setting++) {
        if (setting->environment == NULL)
            continue;
        fputs(".TP\n", to);
        put_in_font('B', setting->environment, to);
        fputs(setting->kind == SETTING_FLAG ? "\n1 or 0: as \\-\\-" : "\nAs \\-\\-", to);
        put_text(setting->name, to);
        fputs(".\n", to);
    }
}

void manual_print(const struct manual *manual, FILE *to)
{
    const char *slash = strrchr(manual->program, '/');
    const char *name = slash != NULL ? slash + 1 : manual->program;
    fputs(".TH ", to);
    for (const char *c = name; *c != '\0'; c++)
        fputc(toupper((unsigned char)*c), to);
    fputs(" 1 \"" MANUAL_DATE "\" \"", to);
    put_text(name, to);
    fprintf(to, " %s\" \"\"\n.SH NAME\n", manual->version);
    put_text(name, to);
    fputs(" \\- ", to);
    put_text(manual->summary, to);
    fputs("\n.SH SYNOPSIS\n", to);
    put_in_font('B', name, to);
    fputs(" [\\fIoption\\fR ...]\n.SH DESCRIPTION\n", to);
    put_paragraphs(manual->about, to);
    fputs(".SH OPTIONS\nAn option is stronger than the variable that sets the same.\n", to);
    fputs("Seconds may have a fraction; sizes take k, M, G and T, powers of 1024.\n", to);
    for (const struct setting *setting = manual->options; setting->name != NULL; setting++)
        put_option(setting, to);
    fputs(".SH ENVIRONMENT\n", to);
    put_variables(manual->options, to);
    put_entries(NULL, manual->environment, to);
    put_entries("SIGNALS", manual->signals, to);
    put_entries("EXIT STATUS", manual->exit_codes, to);
}
