/* A task's message: the first line is its headers as JSON (or no JSON: none), the rest its body. What decodes
 * is sent again as a retry and read back: it must be the same message, one retry later. */
#include "celeryc/message/encode.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void retry_and_read_back(const struct wire_message *wire, const struct task_message *message,
                                const struct task_body *body)
{
    struct wire_message again;
    struct task_message *second;
    struct task_body second_body;
    struct task_retry retry = {.eta = 1e9, .now = 1e9};
    if (task_encode_retry(wire, message, body, &retry, &again, NULL)) {
        check(task_message_parse(&again, &second, NULL) == MESSAGE_GOOD);
        check(strcmp(second->id, message->id) == 0 && second->retries == message->retries + 1);
        enum message_fault fault = task_body_decode(&again, 0, &second_body, NULL);
        check(fault == (body->args == NULL ? MESSAGE_UNFIT : MESSAGE_GOOD));
        check(second_body.chord.size == body->chord.size && second_body.chain.size == body->chain.size);
        task_body_clear(&second_body);
        task_message_free(second);
    }
    wire_message_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = size == 0 ? NULL : memchr(data, '\n', size);
    size_t head = line == NULL ? 0 : (size_t)(line - data), rest = line == NULL ? 0 : head + 1;
    struct wire_message wire;
    wire_message_init(&wire);
    wire.content_type = strdup("application/json");
    wire.headers = json_loadb((const char *)data, head, JSON_ALLOW_NUL, NULL);
    if (wire.headers != NULL && !json_is_object(wire.headers)) {
        json_decref(wire.headers);
        wire.headers = NULL;
    }
    wire.body_size = size - rest;
    wire.body = malloc(wire.body_size == 0 ? 1 : wire.body_size);
    if (wire.body_size > 0)
        memcpy(wire.body, data + rest, wire.body_size);
    struct task_message *message;
    struct task_body body = {.args = NULL};
    struct error error;
    enum message_fault fault = task_message_parse(&wire, &message, &error);
    check((message != NULL) == (fault == MESSAGE_GOOD || fault == MESSAGE_NOT_ACCEPTED));
    if (fault == MESSAGE_GOOD) {
        fault = task_body_decode(&wire, 1024 * 1024, &body, &error);
        check((body.args != NULL) == (fault == MESSAGE_GOOD));
        if (fault == MESSAGE_GOOD || fault == MESSAGE_UNFIT)
            retry_and_read_back(&wire, message, &body);
    }
    task_body_clear(&body);
    task_message_free(message);
    wire_message_clear(&wire);
    return 0;
}
