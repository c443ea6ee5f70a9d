#include "schemas/initiate.h"

#include "common/bytes.h"

#include <string.h>

#define NAME_SHOWN 128 /* bytes of an unknown member's name that its pointer quotes */

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        return "null";
    }
    return "something else";
}

static void add_problem(json_t *problems, const char *pointer, const char *detail)
{
    json_array_append_new(problems, json_pack("{s:s, s:s}", "pointer", pointer, "detail", detail));
}

/* "/" + the member's name with ~ and / escaped (RFC 6901, section 3). A very long name is cut, as it is the
 * client's own text and says enough at its start. */
static void add_unknown_member(json_t *problems, const char *name)
{
    struct bytes pointer;
    bytes_init(&pointer, BYTES_NO_LIMIT);
    size_t size = strlen(name);
    if (size > NAME_SHOWN) {
        size = NAME_SHOWN;
        while (size > 0 && ((unsigned char)name[size] & 0xc0) == 0x80)
            size--;
    }
    bool made = bytes_append_text(&pointer, "/", NULL);
    for (size_t i = 0; made && i < size; i++) {
        if (name[i] == '~')
            made = bytes_append_text(&pointer, "~0", NULL);
        else if (name[i] == '/')
            made = bytes_append_text(&pointer, "~1", NULL);
        else
            made = bytes_append(&pointer, name + i, 1, NULL);
    }
    const char *text = made ? bytes_text(&pointer) : NULL;
    if (text != NULL)
        add_problem(problems, text, "there is no such field");
    bytes_clear(&pointer);
}

static bool check_date(const json_t *body, const char *field, struct date *date, json_t *problems)
{
    char pointer[32] = "/", detail[128];
    strncat(pointer, field, sizeof pointer - 2);
    const json_t *value = json_object_get(body, field);
    if (value == NULL) {
        add_problem(problems, "",
                    strcmp(field, "start_date") == 0 ? "start_date is missing" : "end_date is missing");
        return false;
    }
    if (!json_is_string(value)) {
        (void)snprintf(detail, sizeof detail, "a string of the form YYYY-MM-DD is needed, not %s",
                       type_name(value));
        add_problem(problems, pointer, detail);
        return false;
    }
    struct error error;
    if (!date_parse(json_string_value(value), json_string_length(value), date, &error)) {
        add_problem(problems, pointer, error.message);
        return false;
    }
    return true;
}

bool initiate_check(const json_t *body, long maximum_days, struct date_range *range, json_t **problems)
{
    *problems = json_array();
    if (*problems == NULL)
        return false;
    if (!json_is_object(body)) {
        char detail[128];
        (void)snprintf(detail, sizeof detail, "an object with start_date and end_date is needed, not %s",
                       type_name(body));
        add_problem(*problems, "", detail);
        return false;
    }
    bool start = check_date(body, "start_date", &range->start, *problems);
    bool end = check_date(body, "end_date", &range->end, *problems);
    struct error error;
    if (start && end && !date_range_check(range, maximum_days, &error))
        add_problem(*problems, "/end_date", error.message);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)body, name, value)
    {
        if (strcmp(name, "start_date") != 0 && strcmp(name, "end_date") != 0)
            add_unknown_member(*problems, name);
    }
    if (json_array_size(*problems) > 0)
        return false;
    json_decref(*problems);
    *problems = NULL;
    return true;
}
