/* message-tool: what celeryc makes of JSON lines, for comparison with Python. Reads one JSON value a line
 * from standard input, writes one JSON line each:
 *
 *     repr N     saferepr of the value, cut at N characters (0: not)        tuple N   the same, the array as
 * a tuple string     repr() of a string      real   repr() of a number          dump      json.dumps() of the
 * value exception  repr() of [type, message] body       {"content_type", "headers", "body"} read as a task's
 * message: {"fault", "id", "task", "args", ...}
 */
#include "celeryc/message/json_text.h"
#include "celeryc/message/number.h"
#include "celeryc/message/repr.h"
#include "celeryc/message/task_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *slice_value(struct text_slice slice)
{
    return slice.data == NULL ? json_null() : json_stringn(slice.data, slice.size);
}

static json_t *read_message(json_t *input)
{
    struct wire_message wire;
    wire_message_init(&wire);
    json_t *type = json_object_get(input, "content_type"), *body = json_object_get(input, "body");
    wire.content_type = json_is_string(type) ? strdup(json_string_value(type)) : NULL;
    wire.headers = json_incref(json_object_get(input, "headers"));
    wire.body_size = json_string_length(body);
    wire.body = malloc(wire.body_size + 1);
    memcpy(wire.body, json_string_value(body), wire.body_size);
    struct error error = {.code = ERROR_NONE};
    struct task_message *message;
    struct task_body content = {.args = NULL};
    enum message_fault fault = task_message_parse(&wire, &message, &error);
    if (fault == MESSAGE_GOOD)
        fault = task_body_decode(&wire, 0, &content, &error);
    json_t *output = json_pack("{s:s, s:s}", "fault", message_fault_name(fault), "error", error.message);
    if (message != NULL) {
        json_t *more =
            json_pack("{s:s, s:s, s:s?, s:s?, s:i, s:f, s:f}", "id", message->id, "task", message->task,
                      "argsrepr", message->argsrepr, "kwargsrepr", message->kwargsrepr, "retries",
                      message->retries, "eta", message->eta, "expires", message->expires);
        json_object_update_new(output, more);
    }
    if (fault == MESSAGE_GOOD) {
        json_object_set(output, "args", content.args);
        json_object_set(output, "kwargs", content.kwargs);
        json_object_set_new(output, "callbacks", slice_value(content.callbacks));
        json_object_set_new(output, "errbacks", slice_value(content.errbacks));
        json_object_set_new(output, "chain", slice_value(content.chain));
        json_object_set_new(output, "chord", slice_value(content.chord));
    }
    task_body_clear(&content);
    task_message_free(message);
    wire_message_clear(&wire);
    return output;
}

/* The answer as text; NULL when there is none. */
static char *answer(const char *mode, size_t length, json_t *value)
{
    struct bytes bytes;
    bytes_init(&bytes, 0);
    bool good = false;
    if (strcmp(mode, "repr") == 0 || strcmp(mode, "tuple") == 0) {
        good = repr_append(&bytes, value, strcmp(mode, "tuple") == 0, length, NULL);
    } else if (strcmp(mode, "string") == 0) {
        good = repr_append_string(&bytes, json_string_value(value), json_string_length(value), NULL);
    } else if (strcmp(mode, "real") == 0) {
        char text[NUMBER_TEXT_SIZE];
        good = bytes_append(&bytes, text, number_float_text(json_number_value(value), text), NULL);
    } else if (strcmp(mode, "exception") == 0) {
        char *text = repr_exception(json_string_value(json_array_get(value, 0)),
                                    json_string_value(json_array_get(value, 1)), NULL);
        good = bytes_append_text(&bytes, text, NULL);
        free(text);
    } else if (strcmp(mode, "dump") == 0) {
        good = json_text_append(&bytes, value, NULL);
    } else if (strcmp(mode, "body") == 0) {
        json_t *output = read_message(value);
        good = json_text_append(&bytes, output, NULL);
        json_decref(output);
    }
    char *text = good ? bytes_take(&bytes, NULL) : NULL;
    bytes_clear(&bytes);
    return text;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    size_t length = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 0;
    char *line = NULL;
    size_t room = 0;
    int code = 0;
    while (code == 0) {
        ssize_t size = getline(&line, &room, stdin);
        if (size <= 0)
            break;
        json_t *value = json_loadb(line, (size_t)size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        char *text = value == NULL ? NULL : answer(argv[1], length, value);
        if (text == NULL) {
            code = 1;
        } else {
            json_t *shown = json_string(text);
            char *dumped = json_text_dump(shown, NULL, NULL);
            puts(dumped);
            free(dumped);
            json_decref(shown);
        }
        free(text);
        json_decref(value);
    }
    free(line);
    return code;
}
