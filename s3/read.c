#include "s3/read.h"

#include "common/clock.h"
#include "common/condition.h"
#include "s3/client_state.h"
#include "s3/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BUDGET ((size_t)16 << 20)
#define WINDOW_LIMIT ((size_t)1 << 20)
#define WINDOW_SMALLEST ((size_t)8 << 10)
#define STREAM_WINDOW                                                                                        \
    ((size_t)CURL_MAX_WRITE_SIZE) /* curl delivers that much at once, and all of it must fit */
#define BUFFER_LIMIT ((size_t)64 << 10)
#define UNKNOWN UINT64_MAX

struct s3_reader_set {
    struct s3_client *client;
    struct s3_group group;
    size_t window;
    bool streaming; /* each reader keeps its connection: one GET an object */
};

/* Offsets are those of the object:
 *
 *     first        position        fetched          asked              end
 *       | handed out  | in the window | in flight      | not asked for   |
 */
struct s3_reader {
    struct s3_reader_set *set;
    char *bucket, *key;
    struct s3_request request;

    pthread_mutex_t mutex; /* of all that follows */
    pthread_cond_t changed;
    uint64_t first, position, fetched, asked, end; /* end: UNKNOWN until an answer tells */
    struct s3_version version;                     /* what it must be, when `known` */
    bool known;
    bool answered; /* head is filled */
    struct s3_head head;
    char range[64];

    char *window; /* a ring of set->window bytes; made when the first bytes come, freed when the last are
                     handed out */
    size_t start, filled;
    size_t needed; /* room that a paused transfer waits for; 0: it is not paused */
    bool active;   /* the request is the loop's */
    bool waiting;  /* the owner waits for `changed` */
    bool closing;
    struct error error; /* why it failed; code ERROR_NONE: it has not */
};

/* ---- sets ---- */

struct s3_reader_set *s3_reader_set_new(struct s3_client *client,
                                        const struct s3_reader_set_settings *settings, struct error *error)
{
    static const struct s3_reader_set_settings none;
    if (settings == NULL)
        settings = &none;
    struct s3_reader_set *set = calloc(1, sizeof *set);
    if (set == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for readers of S3");
        return NULL;
    }
    unsigned readers = settings->readers == 0 ? 1 : settings->readers;
    unsigned limit = settings->connections;
    if (limit == 0 || limit > client->connections)
        limit = client->connections;
    set->client = client;
    set->group.limit = limit;
    set->streaming = readers <= limit;
    size_t smallest = set->streaming ? STREAM_WINDOW : WINDOW_SMALLEST;
    set->window = (settings->budget == 0 ? DEFAULT_BUDGET : settings->budget) / readers;
    if (set->window < smallest)
        set->window = smallest;
    if (set->window > WINDOW_LIMIT)
        set->window = WINDOW_LIMIT;
    return set;
}

void s3_reader_set_free(struct s3_reader_set *set)
{
    free(set);
}

/* ---- asking for bytes; with the lock held ---- */

static bool at_end(const struct s3_reader *reader)
{
    return reader->end != UNKNOWN && reader->fetched >= reader->end;
}

/* Submits the next request when there is something to ask for, and room for it. */
static void pump(struct s3_reader *reader)
{
    struct s3_reader_set *set = reader->set;
    size_t room = set->window - reader->filled;
    if (reader->active || reader->closing || reader->error.code != ERROR_NONE || at_end(reader) ||
        room < set->window / 2)
        return;
    reader->asked = reader->end;
    if (!set->streaming && (reader->end == UNKNOWN || reader->end - reader->fetched > room))
        reader->asked = reader->fetched + room;
    reader->active = true;
    s3_loop_submit(&set->client->loop, &reader->request);
}

/* ---- hooks; in the loop's thread ---- */

static bool prepare(struct s3_request *request, struct error *error)
{
    struct s3_reader *reader = request->context;
    (void)pthread_mutex_lock(&reader->mutex);
    bool left = reader->asked > reader->fetched;
    reader->needed = 0;
    s3_request_unset(request, "range");
    if (reader->asked == UNKNOWN && reader->fetched > 0)
        (void)snprintf(reader->range, sizeof reader->range, "bytes=%" PRIu64 "-", reader->fetched);
    else
        (void)snprintf(reader->range, sizeof reader->range, "bytes=%" PRIu64 "-%" PRIu64, reader->fetched,
                       reader->asked - 1);
    bool whole = reader->fetched == 0 &&
                 (reader->asked == UNKNOWN || (reader->known && reader->asked == reader->version.size));
    if (!whole)
        s3_request_header(request, "range", reader->range);
    if (reader->known && reader->version.etag[0] != '\0')
        s3_request_header(request, "if-match", reader->version.etag);
    (void)pthread_mutex_unlock(&reader->mutex);
    return left || error_set(error, ERROR_NONE, "all of it came before the transfer broke");
}

static bool refuse(const struct s3_request *request, enum error_code code, struct error *error,
                   const char *reason)
{
    return error_set(error, code, "GET s3://%s/%s: %s", request->bucket, request->key, reason);
}

/* Whether the answer has the bytes that were asked for; with the lock held. */
static bool check_range(const struct s3_reader *reader, struct error *error)
{
    const struct s3_request *request = &reader->request;
    const struct s3_response *response = &request->response;
    if (response->status == 200 && reader->fetched == 0) {
        if (!response->has_length)
            return refuse(request, ERROR_PROTOCOL, error, "an answer without a length");
        return response->length <= reader->asked ||
               refuse(request, ERROR_PROTOCOL, error, "the whole object came where a range was asked for");
    }
    if (response->status != 206 || !response->has_range || response->first != reader->fetched ||
        response->last >= reader->asked)
        return refuse(request, ERROR_PROTOCOL, error, "the answer is not the range that was asked for");
    return true;
}

static bool accept_answer(struct s3_request *request, struct error *error)
{
    struct s3_reader *reader = request->context;
    const struct s3_response *response = &request->response;
    (void)pthread_mutex_lock(&reader->mutex);
    bool ok = true;
    if (reader->known && !s3_version_same(&reader->version, &response->version))
        ok = refuse(request, ERROR_CHANGED, error, "the object has changed since the reading began");
    ok = ok && check_range(reader, error);
    if (ok) {
        reader->head.version = response->version;
        (void)snprintf(reader->head.content_type, sizeof reader->head.content_type, "%s",
                       response->content_type);
        reader->answered = true;
        if (!reader->known || reader->version.etag[0] == '\0')
            reader->version = response->version;
        reader->known = true;
        if (reader->end > response->version.size)
            reader->end = response->version.size;
        if (reader->asked > reader->end)
            reader->asked = reader->end;
        (void)pthread_cond_signal(&reader->changed);
    }
    (void)pthread_mutex_unlock(&reader->mutex);
    return ok;
}

/* With the lock held; there is room. */
static void put_in_window(struct s3_reader *reader, const char *data, size_t size)
{
    size_t capacity = reader->set->window, at = (reader->start + reader->filled) % capacity;
    size_t before_wrap = capacity - at < size ? capacity - at : size;
    memcpy(reader->window + at, data, before_wrap);
    memcpy(reader->window, data + before_wrap, size - before_wrap);
    reader->filled += size;
}

static bool receive(struct s3_request *request, const char *data, size_t size)
{
    struct s3_reader *reader = request->context;
    (void)pthread_mutex_lock(&reader->mutex);
    uint64_t left = reader->asked - reader->fetched;
    size_t wanted =
        size > left ? (size_t)left : size; /* what an answer has beyond its own range is not ours */
    if (wanted > reader->set->window - reader->filled) {
        reader->needed = wanted;
        (void)pthread_mutex_unlock(&reader->mutex);
        return false;
    }
    if (reader->window == NULL)
        reader->window = malloc(reader->set->window);
    if (reader->window == NULL) {
        (void)error_set(&reader->error, ERROR_MEMORY, "no memory for a window of %zu bytes",
                        reader->set->window);
    } else if (reader->error.code == ERROR_NONE) {
        put_in_window(reader, data, wanted);
        reader->fetched += wanted;
        s3_request_progress(request);
    }
    if (reader->waiting)
        (void)pthread_cond_signal(&reader->changed);
    (void)pthread_mutex_unlock(&reader->mutex);
    return true;
}

/* 416: nothing lies behind `fetched`. That is an empty object, or a range behind the end of one that nobody
 * has described. */
static void judge(struct s3_request *request, struct s3_failure *failure, struct error *error)
{
    struct s3_reader *reader = request->context;
    if (request->response.status != 416)
        return;
    (void)pthread_mutex_lock(&reader->mutex);
    if (!reader->known) {
        reader->known = reader->answered = true;
        reader->version = reader->head.version = request->response.version;
        reader->end = reader->fetched;
        *failure = (struct s3_failure){ERROR_NONE, S3_GIVE_UP};
    } else {
        failure->code = ERROR_CHANGED;
        (void)error_set(error, ERROR_CHANGED, "the object has become shorter since the reading began");
    }
    (void)pthread_mutex_unlock(&reader->mutex);
}

static void finished(struct s3_request *request)
{
    struct s3_reader *reader = request->context;
    (void)pthread_mutex_lock(&reader->mutex);
    reader->active = false;
    reader->needed = 0;
    if (reader->error.code == ERROR_NONE)
        reader->error = request->error;
    pump(reader);
    (void)pthread_cond_signal(&reader->changed);
    (void)pthread_mutex_unlock(&reader->mutex);
}

/* ---- life ---- */

static void set_bounds(struct s3_reader *reader, const struct s3_reader_options *options)
{
    reader->first = reader->position = reader->fetched = options->offset;
    reader->end = UNKNOWN;
    if (options->size != 0 && options->size < UNKNOWN - options->offset)
        reader->end = options->offset + options->size;
    if (options->version == NULL)
        return;
    reader->version = *options->version;
    reader->known = true;
    if (reader->end > reader->version.size)
        reader->end = reader->version.size;
    if (at_end(reader)) { /* nothing will be asked, so nothing will answer */
        reader->head.version = reader->version;
        reader->answered = true;
    }
}

static void set_request(struct s3_reader *reader)
{
    struct s3_request *request = &reader->request;
    size_t buffer = reader->set->window / 2 < BUFFER_LIMIT ? reader->set->window / 2 : BUFFER_LIMIT;
    s3_request_init(request, "GET", reader->bucket, reader->key);
    request->context = reader;
    request->group = &reader->set->group;
    request->buffer_size = (unsigned)buffer;
    request->prepare = prepare;
    request->accept = accept_answer;
    request->receive = receive;
    request->judge = judge;
    request->finished = finished;
}

static void release(struct s3_reader *reader)
{
    s3_request_clear(&reader->request);
    (void)pthread_mutex_destroy(&reader->mutex);
    (void)pthread_cond_destroy(&reader->changed);
    free(reader->window);
    free(reader->bucket);
    free(reader->key);
    free(reader);
}

struct s3_reader *s3_reader_open(struct s3_reader_set *set, const char *bucket, const char *key,
                                 const struct s3_reader_options *options, struct error *error)
{
    static const struct s3_reader_options none;
    if (!s3_names_check(bucket, key, error))
        return NULL;
    struct s3_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for a reader");
        return NULL;
    }
    (void)pthread_mutex_init(&reader->mutex, NULL);
    condition_init(&reader->changed);
    reader->set = set;
    reader->bucket = strdup(bucket);
    reader->key = strdup(key);
    set_request(reader);
    if (reader->bucket == NULL || reader->key == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for a reader");
        release(reader);
        return NULL;
    }
    set_bounds(reader, options == NULL ? &none : options);
    if (options == NULL || !options->lazy) {
        (void)pthread_mutex_lock(&reader->mutex);
        pump(reader);
        (void)pthread_mutex_unlock(&reader->mutex);
    }
    return reader;
}

void s3_reader_close(struct s3_reader *reader)
{
    if (reader == NULL)
        return;
    (void)pthread_mutex_lock(&reader->mutex);
    reader->closing = true;
    if (reader->active)
        s3_loop_cancel(&reader->set->client->loop, &reader->request);
    while (reader->active)
        (void)pthread_cond_wait(&reader->changed, &reader->mutex);
    (void)pthread_mutex_unlock(&reader->mutex);
    release(reader);
}

/* ---- the owner's side ---- */

/* Waits for a change, a slice at most; with the lock held. False: cancelled, or (later) failed. */
static bool wait_a_little(struct s3_reader *reader)
{
    struct s3_client *client = reader->set->client;
    if (!reader->set->streaming && !reader->waiting && reader->active)
        s3_loop_hurry(&client->loop, &reader->request);
    reader->waiting = true;
    (void)condition_wait_until(&reader->changed, &reader->mutex, clock_monotonic() + S3_CANCEL_SLICE);
    (void)pthread_mutex_unlock(&reader->mutex);
    struct error error;
    bool cancelled = s3_client_cancelled(client, &error);
    (void)pthread_mutex_lock(&reader->mutex);
    if (cancelled && reader->error.code == ERROR_NONE)
        reader->error = error;
    return !cancelled;
}

/* With the lock held: until there are bytes (1), the end is reached (0), or it has failed (-1). */
static int wait_for_bytes(struct s3_reader *reader, struct error *error)
{
    int outcome = 1;
    while (reader->filled == 0) {
        if (at_end(reader)) {
            outcome = 0;
            break;
        }
        pump(reader);
        if (reader->error.code != ERROR_NONE || (!wait_a_little(reader) && reader->filled == 0)) {
            if (error != NULL)
                *error = reader->error;
            outcome = -1;
            break;
        }
    }
    reader->waiting = false;
    return outcome;
}

/* Drops the first `size` bytes of the window and lets the transfer go on when there is room again; with the
 * lock held. */
static void give_back(struct s3_reader *reader, size_t size)
{
    size_t capacity = reader->set->window;
    reader->start = (reader->start + size) % capacity;
    reader->filled -= size;
    reader->position += size;
    if (reader->filled == 0)
        reader->start = 0;
    size_t room = capacity - reader->filled;
    if (reader->needed > 0 && room >= reader->needed && room >= capacity / 2) {
        reader->needed = 0;
        s3_loop_resume(&reader->set->client->loop, &reader->request);
    }
    if (reader->filled == 0 && at_end(reader)) {
        free(reader->window);
        reader->window = NULL;
    } else {
        pump(reader);
    }
}

ssize_t s3_reader_read(struct s3_reader *reader, void *buffer, size_t size, struct error *error)
{
    (void)pthread_mutex_lock(&reader->mutex);
    int outcome = wait_for_bytes(reader, error);
    ssize_t got = outcome;
    if (outcome == 1) {
        size_t capacity = reader->set->window;
        if (size > reader->filled)
            size = reader->filled;
        size_t before_wrap = capacity - reader->start < size ? capacity - reader->start : size;
        memcpy(buffer, reader->window + reader->start, before_wrap);
        memcpy((char *)buffer + before_wrap, reader->window, size - before_wrap);
        give_back(reader, size);
        got = (ssize_t)size;
    }
    (void)pthread_mutex_unlock(&reader->mutex);
    return got;
}

ssize_t s3_reader_borrow(struct s3_reader *reader, const char **data, struct error *error)
{
    (void)pthread_mutex_lock(&reader->mutex);
    int outcome = wait_for_bytes(reader, error);
    ssize_t got = outcome;
    *data = NULL;
    if (outcome == 1) {
        size_t before_wrap = reader->set->window - reader->start;
        got = (ssize_t)(reader->filled < before_wrap ? reader->filled : before_wrap);
        *data = reader->window + reader->start;
    }
    (void)pthread_mutex_unlock(&reader->mutex);
    return got;
}

void s3_reader_consume(struct s3_reader *reader, size_t size)
{
    (void)pthread_mutex_lock(&reader->mutex);
    if (size > reader->filled)
        size = reader->filled;
    if (size > 0)
        give_back(reader, size);
    (void)pthread_mutex_unlock(&reader->mutex);
}

bool s3_reader_head(struct s3_reader *reader, struct s3_head *head, struct error *error)
{
    (void)pthread_mutex_lock(&reader->mutex);
    bool ok = true;
    while (ok && !reader->answered) {
        pump(reader);
        if (reader->error.code != ERROR_NONE || !wait_a_little(reader))
            ok = reader->answered;
    }
    reader->waiting = false;
    if (ok)
        *head = reader->head;
    else if (error != NULL)
        *error = reader->error;
    (void)pthread_mutex_unlock(&reader->mutex);
    return ok;
}

uint64_t s3_reader_position(const struct s3_reader *reader)
{
    return reader->position - reader->first;
}
