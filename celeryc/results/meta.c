/* The text of a stored state, as Celery's JSON has it: the same fields in the same order. */
#include "celeryc/results/backend.h"

#include "celeryc/message/json_text.h"
#include "common/bytes.h"
#include "common/clock.h"

#include <stdio.h>
#include <string.h>

#define META_LIMIT (512 * 1024 * 1024 - 1) /* Redis takes no longer string (proto-max-bulk-len) */

struct writer {
    struct bytes text;
    struct error *error;
    bool failed;
};

static void put_text(struct writer *writer, const char *text)
{
    writer->failed = writer->failed || !bytes_append_text(&writer->text, text, writer->error);
}

/* What stands before a field's value: `{"name": ` or `, "name": `. */
static void put_name(struct writer *writer, const char *name)
{
    put_text(writer, writer->text.size == 0 ? "{\"" : ", \"");
    put_text(writer, name);
    put_text(writer, "\": ");
}

static void put(struct writer *writer, const char *name, const json_t *value)
{
    put_name(writer, name);
    writer->failed = writer->failed || !json_text_append(&writer->text, value, writer->error);
}

static void put_string(struct writer *writer, const char *name, const char *value)
{
    put_name(writer, name);
    if (value == NULL)
        put_text(writer, "null");
    else if (!writer->failed)
        writer->failed = !json_text_append_string(&writer->text, value, strlen(value), writer->error);
}

static void put_array(struct writer *writer, const char *name, const json_t *value)
{
    put_name(writer, name);
    if (value == NULL)
        put_text(writer, "[]");
    else
        writer->failed = writer->failed || !json_text_append(&writer->text, value, writer->error);
}

static void put_request(struct writer *writer, const struct task_meta *meta)
{
    char retries[16];
    put_string(writer, "name", meta->name);
    put(writer, "args", meta->args);
    put(writer, "kwargs", meta->kwargs);
    put_string(writer, "worker", meta->worker);
    snprintf(retries, sizeof retries, "%d", meta->retries);
    put_name(writer, "retries");
    put_text(writer, retries);
    put_string(writer, "queue", meta->queue);
}

char *task_meta_encode(const struct task_meta *meta, size_t *size, struct error *error)
{
    struct error fault = {.code = ERROR_NONE};
    struct writer writer = {.error = &fault};
    char date[CLOCK_ISO_SIZE];
    bytes_init(&writer.text, META_LIMIT);
    if (meta->date_done != 0)
        clock_iso8601(meta->date_done, date);
    put_string(&writer, "status", meta->status);
    put(&writer, "result", meta->result);
    put_string(&writer, "traceback", meta->traceback);
    put_array(&writer, "children", meta->children);
    put_string(&writer, "date_done", meta->date_done != 0 ? date : NULL);
    if (meta->group_id != NULL)
        put_string(&writer, "group_id", meta->group_id);
    if (meta->parent_id != NULL)
        put_string(&writer, "parent_id", meta->parent_id);
    if (meta->extended)
        put_request(&writer, meta);
    put_string(&writer, "task_id", meta->task_id);
    put_text(&writer, "}");
    char *text = writer.failed ? NULL : bytes_take(&writer.text, size);
    if (text == NULL) {
        error_set(error, writer.failed ? fault.code : ERROR_MEMORY, "result of task %s: %s", meta->task_id,
                  writer.failed ? fault.message : "out of memory");
    }
    bytes_clear(&writer.text);
    return text;
}

json_t *task_exception(const char *type, const char *message)
{
    const char *dot = strrchr(type, '.');
    json_t *arguments = json_array();
    if (message != NULL && json_array_append_new(arguments, json_string(message)) != 0)
        json_array_append_new(arguments, json_string("(a message that is not UTF-8)"));
    return json_pack("{s:s, s:o, s:s%}", "exc_type", dot != NULL ? dot + 1 : type, "exc_message", arguments,
                     "exc_module", dot != NULL ? type : "builtins", dot != NULL ? (size_t)(dot - type) : 8);
}

json_t *task_rejection(const char *reason, bool requeue)
{
    json_t *said = reason == NULL ? json_null() : json_string(reason);
    if (said == NULL)
        said = json_string("(a reason that is not UTF-8)");
    return json_pack("{s:s, s:[o, b], s:s}", "exc_type", "Reject", "exc_message", said, requeue, "exc_module",
                     "celery.exceptions");
}
