#include "celeryc/amqp/topology.h"

#include <stdlib.h>
#include <string.h>

bool queue_spec_check(const struct queue_spec *spec, struct error *error)
{
    const char *texts[] = {spec->name, spec->exchange, spec->exchange_type, spec->routing_key,
                           spec->consumer_tag};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i] != NULL && strlen(texts[i]) > 255)
            return error_set(error, ERROR_INVALID, "a name of more than 255 bytes: %.40s...", texts[i]);
    if (spec->arguments != NULL && !json_is_object(spec->arguments))
        return error_set(error, ERROR_INVALID, "queue arguments that are no object");
    return true;
}

static bool copy_text(const char **to, const char *text)
{
    *to = text == NULL ? NULL : strdup(text);
    return text == NULL || *to != NULL;
}

struct queue_spec *queue_spec_copy(const struct queue_spec *spec)
{
    struct queue_spec *copy = malloc(sizeof *copy);
    if (copy == NULL)
        return NULL;
    *copy = *spec;
    const char *exchange = spec->exchange != NULL ? spec->exchange : spec->name != NULL ? spec->name : "";
    bool done = copy_text(&copy->name, spec->name);
    done = copy_text(&copy->exchange, exchange) && done;
    done =
        copy_text(&copy->exchange_type, spec->exchange_type != NULL ? spec->exchange_type : "direct") && done;
    done = copy_text(&copy->routing_key, spec->routing_key != NULL ? spec->routing_key : spec->name) && done;
    done = copy_text(&copy->consumer_tag, spec->consumer_tag) && done;
    copy->arguments = spec->arguments == NULL ? NULL : json_deep_copy(spec->arguments);
    if (!done || (spec->arguments != NULL && copy->arguments == NULL)) {
        queue_spec_free(copy);
        return NULL;
    }
    return copy;
}

void queue_spec_free(struct queue_spec *spec)
{
    if (spec == NULL)
        return;
    free((char *)spec->name);
    free((char *)spec->exchange);
    free((char *)spec->exchange_type);
    free((char *)spec->routing_key);
    free((char *)spec->consumer_tag);
    json_decref(spec->arguments);
    free(spec);
}

static bool same_text(const char *one, const char *other)
{
    return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

bool queue_spec_equal(const struct queue_spec *one, const struct queue_spec *other)
{
    return same_text(one->name, other->name) && same_text(one->exchange, other->exchange) &&
           same_text(one->exchange_type, other->exchange_type) &&
           same_text(one->routing_key, other->routing_key) && one->durable == other->durable &&
           one->exclusive == other->exclusive && one->auto_delete == other->auto_delete &&
           one->exchange_durable == other->exchange_durable &&
           one->exchange_auto_delete == other->exchange_auto_delete &&
           (one->arguments == other->arguments || json_equal(one->arguments, other->arguments));
}

bool queue_spec_is_quorum(const struct queue_spec *spec)
{
    const char *type = json_string_value(json_object_get(spec->arguments, "x-queue-type"));
    return type != NULL && strcmp(type, "quorum") == 0;
}
