#include "celeryc/message/exception.h"

#include "celeryc/message/repr.h"

#include <string.h>

static bool append_argument(struct bytes *text, const json_t *value, struct error *error)
{
    if (json_is_string(value))
        return repr_append_string(text, json_string_value(value), json_string_length(value), error);
    return repr_append(text, value, false, 0, error);
}

/* Celery's Reject(reason, requeue) shows itself in a way of its own (celery/exceptions.py). */
static bool is_reject(const json_t *exception, const char *type)
{
    const char *module = json_string_value(json_object_get(exception, "exc_module"));
    return type != NULL && strcmp(type, "Reject") == 0 && module != NULL &&
           strcmp(module, "celery.exceptions") == 0 &&
           json_array_size(json_object_get(exception, "exc_message")) == 2;
}

static bool append_reject(struct bytes *text, const json_t *arguments, struct error *error)
{
    const json_t *reason = json_array_get(arguments, 0);
    bool whole = bytes_append_text(text, "reject requeue=", error) &&
                 repr_append(text, json_array_get(arguments, 1), false, 0, error) &&
                 bytes_append_text(text, ": ", error);
    return whole && (json_is_string(reason)
                         ? bytes_append(text, json_string_value(reason), json_string_length(reason), error)
                         : repr_append(text, reason, false, 0, error));
}

char *exception_repr(const json_t *exception, struct error *error)
{
    const char *type = json_string_value(json_object_get(exception, "exc_type"));
    const json_t *message = json_object_get(exception, "exc_message"), *value;
    struct bytes text;
    size_t index;
    bytes_init(&text, 0);
    if (is_reject(exception, type)) {
        char *shown = append_reject(&text, message, error) ? bytes_take(&text, NULL) : NULL;
        bytes_clear(&text);
        return shown;
    }
    bool whole = bytes_append_format(&text, error, "%s(", type == NULL ? "Exception" : type);
    if (message != NULL && !json_is_array(message)) {
        whole = whole && append_argument(&text, message, error);
    } else {
        json_array_foreach(message, index, value)
        {
            whole = whole && (index == 0 || bytes_append_text(&text, ", ", error)) &&
                    append_argument(&text, value, error);
        }
    }
    whole = whole && bytes_append_text(&text, ")", error);
    char *made = whole ? bytes_take(&text, NULL) : NULL;
    bytes_clear(&text);
    return made;
}
