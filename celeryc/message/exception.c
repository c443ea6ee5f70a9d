#include "celeryc/message/exception.h"

#include "celeryc/message/repr.h"

static bool append_argument(struct bytes *text, const json_t *value, struct error *error)
{
    if (json_is_string(value))
        return repr_append_string(text, json_string_value(value), json_string_length(value), error);
    return repr_append(text, value, false, 0, error);
}

char *exception_repr(const json_t *exception, struct error *error)
{
    const char *type = json_string_value(json_object_get(exception, "exc_type"));
    const json_t *message = json_object_get(exception, "exc_message"), *value;
    struct bytes text;
    size_t index;
    bytes_init(&text, 0);
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
