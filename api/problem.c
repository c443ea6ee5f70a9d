#include "api/problem.h"

#include <stdarg.h>
#include <stdio.h>

#define RETRY_AFTER "5" /* seconds after which a client may ask again when something is away */

static void answer(struct call *call, enum problem_kind kind, const char *name, json_t *take,
                   const char *format, va_list arguments)
{
    const struct problem_type *type = problem_type(kind);
    char uri[64], detail[1024];
    (void)snprintf(uri, sizeof uri, "/problems/%s", type->name);
    (void)vsnprintf(detail, sizeof detail, format, arguments);
    /* A sentence or a path may quote bytes that are no UTF-8; JSON has no place for them. */
    json_t *text = json_string(detail), *path = json_string(call->request->url_path);
    json_t *body = json_pack("{s:s, s:s, s:i, s:o, s:o}", "type", uri, "title", type->title, "status",
                             type->status, "detail", text != NULL ? text : json_string(type->title),
                             "instance", path != NULL ? path : json_string(""));
    if (body != NULL && take != NULL)
        json_object_set(body, name, take);
    json_decref(take);
    if (type->status == 503)
        call_set_header(call, "Retry-After", RETRY_AFTER);
    call_set_header(call, "Cache-Control", "no-store");
    call_answer_json(call, type->status, "application/problem+json", body);
}

void problem_answer(struct call *call, enum problem_kind kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    answer(call, kind, NULL, NULL, format, arguments);
    va_end(arguments);
}

void problem_answer_with(struct call *call, enum problem_kind kind, const char *name, json_t *take,
                         const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    answer(call, kind, name, take, format, arguments);
    va_end(arguments);
}
