/* canvas-tool: what celeryc plans for a canvas, for comparison with Python. Reads one JSON object a line,
 * writes one JSON line each:
 *
 *     {"do": "apply", "signature", "args", "options", "task_id", "root_id"}   {"steps": [...], "result",
 * "trail"}
 *     {"do": "replace", "signature", "request"}                               the same of what takes a task's
 * place
 *     {"do": "chain", "signatures"}                                           the signature
 *     {"do": "stamp", "signature", "stamps", "visitor", "append"}             the signature
 *
 * A step is a message {"headers", "body", "properties"}, {"size", "group"} of a chord, or {"tuple", "group"}.
 */
#include "celeryc/canvas/canvas.h"
#include "celeryc/include/celeryc/canvas.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *message_step(const struct wire_message *wire)
{
    json_t *body = json_loadb(wire->body, wire->body_size, JSON_ALLOW_NUL, NULL);
    return json_pack("{s:O, s:o, s:{s:s, s:s?, s:s?, s:i, s:s}}", "headers", wire->headers, "body",
                     body == NULL ? json_null() : body, "properties", "correlation_id", wire->correlation_id,
                     "reply_to", wire->reply_to, "expiration", wire->expiration, "priority", wire->priority,
                     "routing_key", wire->routing_key);
}

static json_t *step_value(const struct canvas_step *step)
{
    switch (step->kind) {
    case CANVAS_SEND:
        return message_step(&step->wire);
    case CANVAS_CHORD_SIZE:
        return json_pack("{s:I, s:s}", "size", step->size, "group", step->group);
    case CANVAS_CHORD_GROUP:
        return json_pack("{s:O, s:s}", "tuple", step->tuple, "group", step->group);
    }
    return NULL;
}

static json_t *plan_value(const struct canvas *canvas, const json_t *result)
{
    if (canvas->failed)
        return json_pack("{s:s}", "error", canvas->error.message);
    json_t *steps = json_array(), *trail = json_array(), *child;
    size_t index;
    for (size_t i = 0; i < canvas->count; i++)
        json_array_append_new(steps, step_value(&canvas->steps[i]));
    json_array_foreach(canvas->trail, index, child) json_array_append_new(trail, result_tuple(child));
    return json_pack("{s:o, s:o, s:o}", "steps", steps, "result",
                     result == NULL ? json_null() : result_tuple(result), "trail", trail);
}

static json_t *plan(json_t *input, bool replace)
{
    struct canvas canvas;
    json_t *request = json_object_get(input, "request");
    json_t *signature = json_incref(json_object_get(input, "signature")), *result = NULL;
    canvas_init(&canvas);
    canvas.reply_to = "reply-to";
    canvas.origin = "origin";
    canvas.now = clock_wall();
    canvas.from_message = json_is_true(json_object_get(input, "from_message"));
    canvas.task_id = json_string_value(json_object_get(input, "task_id"));
    canvas.root_id = json_string_value(json_object_get(input, "root_id"));
    if (replace) {
        json_t *replacement = canvas_replacement(&canvas, signature, request);
        json_decref(signature);
        signature = replacement;
    }
    if (signature != NULL)
        result = canvas_apply(&canvas, signature, json_object_get(input, "args"), NULL,
                              json_object_get(input, "options"));
    json_t *output = plan_value(&canvas, result);
    json_decref(result);
    json_decref(signature);
    canvas_clear(&canvas);
    return output;
}

static json_t *visit(void *context, json_t *signature, json_t *stamps)
{
    (void)signature;
    (void)stamps;
    return json_deep_copy(context);
}

static json_t *stamped(json_t *input)
{
    json_t *visited = json_object_get(input, "visitor");
    struct celery_stamp_visitor visitor = {.on_signature = visit, .context = visited};
    bool append = json_is_true(json_object_get(input, "append"));
    json_t *signature = json_incref(json_object_get(input, "signature"));
    return celery_stamp(signature, json_is_object(visited) ? &visitor : NULL,
                        json_object_get(input, "stamps"), append);
}

static json_t *answer(json_t *input)
{
    const char *what = json_string_value(json_object_get(input, "do"));
    if (what != NULL && strcmp(what, "chain") == 0)
        return celery_chain_of(json_incref(json_object_get(input, "signatures")));
    if (what != NULL && strcmp(what, "stamp") == 0)
        return stamped(input);
    return plan(input, what != NULL && strcmp(what, "replace") == 0);
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        json_t *input = json_loads(line, JSON_ALLOW_NUL, NULL);
        json_t *output = answer(input);
        char *text = json_dumps(output, JSON_ENCODE_ANY | JSON_COMPACT);
        puts(text == NULL ? "null" : text);
        fflush(stdout);
        free(text);
        json_decref(output);
        json_decref(input);
    }
    free(line);
    return 0;
}
