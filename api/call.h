/* One HTTP request and the answer to it, while its endpoint runs: the thin layer between Ulfius and the
 * endpoints.
 *
 * routes.c makes a call, the route's function answers it with exactly one of the answer functions
 * (call_answer_*(), problem_answer*()), and routes.c adds what every answer has (X-Request-Id). A call
 * belongs to one thread. */
#ifndef API_CALL_H
#define API_CALL_H

#include "api/api.h"
#include "common/uuid.h"

#include <jansson.h>
#include <ulfius.h>

#define CALL_REQUEST_ID_SIZE 129
#define CALL_TRACE_PARENT_SIZE 56

struct call {
    struct api *api;
    const struct _u_request *request;
    struct _u_response *response;
    bool is_head;                              /* HEAD: the headers of GET, no body */
    char request_id[CALL_REQUEST_ID_SIZE];     /* the client's X-Request-Id, or ours */
    char trace_parent[CALL_TRACE_PARENT_SIZE]; /* W3C Trace Context, or "" */
};

/* Fills `call` from the request. An X-Request-Id is taken over when it has 1 to 128 of A-Z a-z 0-9 . _ -,
 * else made. */
void call_init(struct call *call, struct api *api, const struct _u_request *request,
               struct _u_response *response);

/* ---- the request ---- */
const char *call_header(const struct call *call, const char *name); /* any case; NULL when absent; borrowed */
/* The job's id, which is the last segment of the path, in lower case; false when that is no UUID. */
bool call_read_id(const struct call *call, char id[UUID_SIZE]);

/* ---- the answer ---- */
void call_set_header(struct call *call, const char *name, const char *value);
void call_set_header_format(struct call *call, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void call_answer_json(struct call *call, int status, const char *content_type, json_t *take);
void call_answer_empty(struct call *call, int status);

#endif
