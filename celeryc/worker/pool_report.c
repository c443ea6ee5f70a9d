#include "celeryc/worker/pool_report.h"

#include "celeryc/worker/pool_order.h"

static void put_result(struct frame_writer *writer, const struct run_result *result)
{
    frame_put_u8(writer, (uint8_t)result->outcome);
    frame_put_u8(writer, result->stored);
    frame_put_u8(writer, result->requeue);
    frame_put_u8(writer, result->reject);
    frame_put_u8(writer, result->repeated);
    frame_put_double(writer, result->runtime);
    frame_put_text(writer, result->result);
    frame_put_text(writer, result->exception);
    frame_put_text(writer, result->exc_type);
    frame_put_text(writer, result->exc_message);
    frame_put_text(writer, result->traceback);
    frame_put_double(writer, result->retry_eta);
    frame_put_u8(writer, result->retry != NULL);
    if (result->retry != NULL)
        frame_put_wire(writer, result->retry);
}

bool pool_report_put(struct bytes *to, const struct pool_report *report, struct error *error)
{
    struct frame_writer writer;
    frame_begin(&writer, to, report->kind);
    switch (report->kind) {
    case FRAME_READY:
        frame_put_i64(&writer, report->pid);
        break;
    case FRAME_STARTED:
        frame_put_u32(&writer, report->serial);
        frame_put_double(&writer, report->started);
        break;
    case FRAME_UPDATED:
        frame_put_u32(&writer, report->serial);
        frame_put_text(&writer, report->state);
        break;
    case FRAME_FINISHED:
        frame_put_u32(&writer, report->serial);
        frame_put_double(&writer, report->started);
        put_result(&writer, &report->result);
        break;
    case FRAME_RETIRING:
        frame_put_double(&writer, report->memory);
        break;
    case FRAME_ORDER:
        writer.failed = true;
        break;
    }
    return frame_end(&writer, error);
}

void pool_report_set_unstored(struct bytes *in, size_t offset)
{
    in->data[offset + FRAME_HEAD + sizeof(uint32_t) + sizeof(double) + 1] =
        0; /* behind serial, started, outcome */
}

static void get_result(struct frame_reader *reader, struct pool_report *report)
{
    struct run_result *result = &report->result;
    uint8_t outcome = frame_get_u8(reader);
    if (outcome > RUN_UNDECODABLE)
        reader->failed = true;
    else
        result->outcome = (enum run_outcome)outcome;
    result->stored = frame_get_u8(reader) != 0;
    result->requeue = frame_get_u8(reader) != 0;
    result->reject = frame_get_u8(reader) != 0;
    result->repeated = frame_get_u8(reader) != 0;
    result->runtime = frame_get_double(reader);
    result->result = frame_get_text(reader);
    result->exception = frame_get_text(reader);
    result->exc_type = frame_get_text(reader);
    result->exc_message = frame_get_text(reader);
    result->traceback = frame_get_text(reader);
    result->retry_eta = frame_get_double(reader);
    bool retries = frame_get_u8(reader) != 0;
    if (retries && frame_get_wire(reader, &report->retry))
        result->retry = &report->retry;
    if (!reader->failed && (result->outcome == RUN_RETRY) != retries)
        reader->failed = true;
}

bool pool_report_get(enum frame_kind kind, struct frame_reader *reader, struct pool_report *report)
{
    *report = (struct pool_report){.kind = kind};
    wire_message_init(&report->retry);
    switch (kind) {
    case FRAME_READY:
        report->pid = (pid_t)frame_get_i64(reader);
        break;
    case FRAME_STARTED:
        report->serial = frame_get_u32(reader);
        report->started = frame_get_double(reader);
        break;
    case FRAME_UPDATED:
        report->serial = frame_get_u32(reader);
        report->state = frame_get_text(reader);
        if (report->state == NULL)
            reader->failed = true;
        break;
    case FRAME_FINISHED:
        report->serial = frame_get_u32(reader);
        report->started = frame_get_double(reader);
        get_result(reader, report);
        break;
    case FRAME_RETIRING:
        report->memory = frame_get_double(reader);
        break;
    default:
        reader->failed = true;
        break;
    }
    if (frame_is_read(reader))
        return true;
    pool_report_clear(report);
    return false;
}

void pool_report_clear(struct pool_report *report)
{
    wire_message_clear(&report->retry);
    report->result.retry = NULL;
}
