#include "celeryc/message/body_parts.h"

#include <stdlib.h>
#include <string.h>

/* Protocol 1 leaves args and kwargs out where there are none. */
static const struct text_slice no_args = {"[]", 2}, no_kwargs = {"{}", 2};

static enum message_fault unfit(struct task_body *body, const char *exception)
{
    json_decref(body->args);
    json_decref(body->kwargs);
    body->args = body->kwargs = NULL;
    body->exception = exception;
    return MESSAGE_UNFIT;
}

/* Decodes what the task is called with. JSON that Python takes and Jansson does not fails the task, and
 * nothing else. */
static enum message_fault load(struct task_body *body, const char *task, struct error *error)
{
    struct {
        const struct text_slice *text;
        json_t **to;
        char open;
        const char *complaint;
    } const parts[] = {
        {&body->args_text, &body->args, '[', "argument after * must be an iterable"},
        {&body->kwargs_text, &body->kwargs, '{', "argument after ** must be a mapping"},
    };
    for (size_t i = 0; i < 2; i++) {
        if (parts[i].text->data[0] != parts[i].open) {
            error_set(error, ERROR_INVALID, "%.256s() %s", task, parts[i].complaint);
            return unfit(body, "TypeError");
        }
        json_error_t why;
        *parts[i].to = json_loadb(parts[i].text->data, parts[i].text->size, JSON_ALLOW_NUL, &why);
        if (*parts[i].to == NULL) {
            error_set(error, ERROR_INVALID, "an argument cannot be held by a task in C: %s", why.text);
            return unfit(body, "ValueError");
        }
    }
    return MESSAGE_GOOD;
}

/* Celery looks at kwargs.items of protocol 1 in the worker's parent, before there is a request. */
static bool shape_is_good(const struct wire_message *wire, const struct body_parts *parts,
                          struct error *error)
{
    if (parts->is_triple)
        return json_object_get(wire->headers, "task") != NULL ||
               error_set(error, ERROR_INVALID, "neither its headers nor its body name a task");
    if (parts->args.data == NULL && json_object_get(wire->headers, "task") != NULL)
        return error_set(error, ERROR_INVALID, "its body is not [args, kwargs, embed]");
    if (parts->kwargs.data != NULL && parts->kwargs.data[0] != '{')
        return error_set(error, ERROR_INVALID, "its keyword arguments are not a mapping");
    return true;
}

enum message_fault task_body_decode(const struct wire_message *wire, size_t limit, struct task_body *body,
                                    struct error *error)
{
    *body = (struct task_body){.args = NULL};
    struct body_parts parts;
    enum message_fault fault = body_parts_read(wire, limit, false, &parts, error);
    if (fault == MESSAGE_GOOD && !shape_is_good(wire, &parts, error))
        fault = MESSAGE_INVALID;
    if (fault != MESSAGE_GOOD) {
        body_parts_clear(&parts);
        return fault;
    }
    body->args_text = parts.args.data == NULL ? no_args : parts.args;
    body->kwargs_text = parts.kwargs.data == NULL ? no_kwargs : parts.kwargs;
    body->callbacks = parts.callbacks;
    body->errbacks = parts.errbacks;
    body->chain = parts.chain;
    body->chord = parts.chord;
    body->text = parts.text;
    body->text_size = parts.text_size;
    parts.text = NULL;
    body_parts_clear(&parts);
    const char *task = json_string_value(json_object_get(wire->headers, "task"));
    return load(body, task == NULL ? "task" : task, error);
}

enum message_fault task_body_check(const struct wire_message *wire, size_t limit, struct error *error)
{
    struct body_parts parts;
    if (wire->body_size > limit)
        return MESSAGE_GOOD;
    enum message_fault fault = body_parts_read(wire, limit, false, &parts, error);
    if (fault == MESSAGE_GOOD && !shape_is_good(wire, &parts, error))
        fault = MESSAGE_INVALID;
    if (fault == MESSAGE_UNDECODABLE && error->code == ERROR_LIMIT)
        fault = MESSAGE_GOOD;
    body_parts_clear(&parts);
    return fault;
}

void task_body_clear(struct task_body *body)
{
    json_decref(body->args);
    json_decref(body->kwargs);
    free(body->text);
    *body = (struct task_body){.args = NULL};
}
