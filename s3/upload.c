#include "s3/upload.h"

#include "common/clock.h"
#include "common/condition.h"
#include "s3/client_state.h"
#include "s3/part.h"
#include "s3/part_size.h"
#include "s3/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_IN_FLIGHT 2u
#define IN_FLIGHT_LIMIT 16u

/* A part on its way: it is filled by the owner, then it is the loop's (`busy`), then free to be filled again.
 */
struct slot {
    struct s3_upload *upload;
    struct s3_request request;
    char text[S3_PART_TEXT];
    unsigned number;
    char *data;
    size_t capacity, size;
    bool busy;
};

struct s3_upload {
    struct s3_client *client;
    char *bucket, *key, *content_type;
    char upload_id[S3_UPLOAD_ID_SIZE]; /* "" until a second part is needed */
    bool checksums;                    /* the server compares CRC-32C */
    struct s3_part_plan plan;
    unsigned in_flight; /* as asked for; fewer when parts are large */
    unsigned slot_count;
    struct slot *filling; /* NULL: none is */
    unsigned parts_begun;
    uint64_t written;
    bool finished;

    pthread_mutex_t mutex; /* of what follows, and of the slots' `busy` */
    pthread_cond_t changed;
    unsigned busy;
    struct s3_part *parts; /* by number, from 1: parts[0] is part 1 */
    size_t parts_capacity;
    uint64_t acknowledged;
    struct error error; /* the first failure; code ERROR_NONE: none */
    struct slot slots[IN_FLIGHT_LIMIT + 1];
};

/* ---- life ---- */

static bool copy(char **to, const char *text)
{
    *to = strdup(text);
    return *to != NULL;
}

static void release(struct s3_upload *upload)
{
    for (unsigned i = 0; i < upload->slot_count; i++)
        free(upload->slots[i].data);
    (void)pthread_mutex_destroy(&upload->mutex);
    (void)pthread_cond_destroy(&upload->changed);
    free(upload->parts);
    free(upload->bucket);
    free(upload->key);
    free(upload->content_type);
    free(upload);
}

struct s3_upload *s3_upload_new(struct s3_client *client, const char *bucket, const char *key,
                                const struct s3_upload_options *options, struct error *error)
{
    static const struct s3_upload_options none;
    if (options == NULL)
        options = &none;
    if (!s3_names_check(bucket, key, error))
        return NULL;
    struct s3_upload *upload = calloc(1, sizeof *upload);
    if (upload == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for an upload");
        return NULL;
    }
    (void)pthread_mutex_init(&upload->mutex, NULL);
    condition_init(&upload->changed);
    upload->client = client;
    upload->plan = s3_part_plan_make(options->part_size, options->expected_size);
    upload->in_flight = options->in_flight == 0 ? DEFAULT_IN_FLIGHT : options->in_flight;
    if (upload->in_flight > IN_FLIGHT_LIMIT)
        upload->in_flight = IN_FLIGHT_LIMIT;
    upload->slot_count = upload->in_flight + 1;
    const char *type = options->content_type == NULL ? "application/octet-stream" : options->content_type;
    if (!copy(&upload->bucket, bucket) || !copy(&upload->key, key) || !copy(&upload->content_type, type)) {
        (void)error_set(error, ERROR_MEMORY, "no memory for an upload");
        release(upload);
        return NULL;
    }
    return upload;
}

/* ---- parts in flight ---- */

/* With the lock held. */
static void record(struct s3_upload *upload, const struct s3_part *part)
{
    if (part->number > upload->parts_capacity) {
        size_t capacity = upload->parts_capacity == 0 ? 64 : 2 * upload->parts_capacity;
        struct s3_part *parts = reallocarray(upload->parts, capacity, sizeof *parts);
        if (parts == NULL) {
            (void)error_set(&upload->error, ERROR_MEMORY, "no memory for the list of parts");
            return;
        }
        memset(parts + upload->parts_capacity, 0, (capacity - upload->parts_capacity) * sizeof *parts);
        upload->parts = parts;
        upload->parts_capacity = capacity;
    }
    upload->parts[part->number - 1] = *part;
    upload->acknowledged += part->size;
}

/* In the loop's thread. */
static void part_finished(struct s3_request *request)
{
    struct slot *slot = request->context;
    struct s3_upload *upload = slot->upload;
    struct s3_part part;
    struct error error = request->error;
    bool ok = error.code == ERROR_NONE && s3_part_read(request, slot->number, &part, &error);
    s3_request_clear(request);
    (void)pthread_mutex_lock(&upload->mutex);
    if (ok)
        record(upload, &part);
    else if (upload->error.code == ERROR_NONE)
        upload->error = error;
    slot->busy = false;
    upload->busy--;
    (void)pthread_cond_signal(&upload->changed);
    (void)pthread_mutex_unlock(&upload->mutex);
}

/* Waits until at most `most` parts are in flight. False: failed or cancelled. `cancellable`: ask the client.
 */
static bool wait_for_parts(struct s3_upload *upload, unsigned most, bool cancellable, struct error *error)
{
    (void)pthread_mutex_lock(&upload->mutex);
    while (upload->busy > most && upload->error.code == ERROR_NONE) {
        (void)condition_wait_until(&upload->changed, &upload->mutex, clock_monotonic() + S3_CANCEL_SLICE);
        (void)pthread_mutex_unlock(&upload->mutex);
        struct error reason;
        bool cancelled = cancellable && s3_client_cancelled(upload->client, &reason);
        (void)pthread_mutex_lock(&upload->mutex);
        if (cancelled && upload->error.code == ERROR_NONE)
            upload->error = reason;
    }
    bool ok = upload->error.code == ERROR_NONE;
    if (!ok && error != NULL)
        *error = upload->error;
    (void)pthread_mutex_unlock(&upload->mutex);
    return ok;
}

static bool fail(struct s3_upload *upload, const struct error *reason, struct error *error)
{
    (void)pthread_mutex_lock(&upload->mutex);
    if (upload->error.code == ERROR_NONE)
        upload->error = *reason;
    if (error != NULL)
        *error = upload->error;
    (void)pthread_mutex_unlock(&upload->mutex);
    return false;
}

static bool begin_multipart(struct s3_upload *upload, struct error *error)
{
    struct error reason = {0};
    if (upload->upload_id[0] != '\0')
        return true;
    return s3_multipart_begin(upload->client, upload->bucket, upload->key, upload->content_type,
                              upload->upload_id, &upload->checksums, &reason) ||
           fail(upload, &reason, error);
}

/* Hands the part that is being filled to the loop. */
static bool send_part(struct s3_upload *upload, struct error *error)
{
    struct slot *slot = upload->filling;
    if (!begin_multipart(upload, error))
        return false;
    if (!wait_for_parts(upload, s3_part_plan_in_flight(&upload->plan, slot->number, upload->in_flight) - 1,
                        true, error))
        return false;
    upload->filling = NULL;
    s3_request_init(&slot->request, "PUT", upload->bucket, upload->key);
    s3_part_prepare(&slot->request, upload->upload_id, slot->number, slot->text);
    slot->request.body = slot->data;
    slot->request.body_size = slot->size;
    slot->request.checksum = upload->checksums;
    slot->request.context = slot;
    slot->request.finished = part_finished;
    (void)pthread_mutex_lock(&upload->mutex);
    slot->busy = true;
    upload->busy++;
    (void)pthread_mutex_unlock(&upload->mutex);
    s3_loop_submit(&upload->client->loop, &slot->request);
    return true;
}

static bool make_room(struct slot *slot, size_t size, struct error *error)
{
    if (slot->capacity < size) {
        free(slot->data);
        slot->data = malloc(size);
        slot->capacity = slot->data == NULL ? 0 : size;
    }
    return slot->data != NULL || error_set(error, ERROR_MEMORY, "no memory for a part of %zu bytes", size);
}

/* A free slot for the next part. There always is one: as many slots as parts may be in flight, and one. */
static bool begin_part(struct s3_upload *upload, struct error *error)
{
    struct slot *slot = NULL;
    struct error reason = {0};
    if (upload->parts_begun == S3_PART_LIMIT) {
        (void)error_set(&reason, ERROR_LIMIT, "PUT s3://%s/%s: more than 5 TiB", upload->bucket, upload->key);
        return fail(upload, &reason, error);
    }
    (void)pthread_mutex_lock(&upload->mutex);
    for (unsigned i = 0; slot == NULL && i < upload->slot_count; i++) {
        if (!upload->slots[i].busy)
            slot = &upload->slots[i];
    }
    (void)pthread_mutex_unlock(&upload->mutex);
    size_t size = s3_part_plan_size(&upload->plan, upload->parts_begun + 1);
    if (slot == NULL)
        (void)error_set(&reason, ERROR_LIMIT, "more parts in flight than there may be");
    if (slot == NULL || !make_room(slot, size, &reason))
        return fail(upload, &reason, error);
    slot->upload = upload;
    slot->number = ++upload->parts_begun;
    slot->size = 0;
    upload->filling = slot;
    return true;
}

/* ---- content ---- */

static bool is_usable(struct s3_upload *upload, struct error *error)
{
    (void)pthread_mutex_lock(&upload->mutex);
    bool ok = upload->error.code == ERROR_NONE;
    if (!ok && error != NULL)
        *error = upload->error;
    (void)pthread_mutex_unlock(&upload->mutex);
    if (ok && upload->finished)
        return error_set(error, ERROR_INVALID, "the upload is finished");
    return ok;
}

static size_t filling_room(const struct s3_upload *upload)
{
    const struct slot *slot = upload->filling;
    return slot == NULL ? 0 : s3_part_plan_size(&upload->plan, slot->number) - slot->size;
}

void *s3_upload_borrow(struct s3_upload *upload, size_t *room, struct error *error)
{
    if (!is_usable(upload, error))
        return NULL;
    if (upload->filling != NULL && filling_room(upload) == 0 && !send_part(upload, error))
        return NULL;
    if (upload->filling == NULL && !begin_part(upload, error))
        return NULL;
    *room = filling_room(upload);
    return upload->filling->data + upload->filling->size;
}

bool s3_upload_commit(struct s3_upload *upload, size_t size, struct error *error)
{
    if (size > filling_room(upload))
        return error_set(error, ERROR_INVALID, "more bytes than there was room for");
    if (size > 0)
        upload->filling->size += size;
    upload->written += size;
    return true;
}

bool s3_upload_write(struct s3_upload *upload, const void *data, size_t size, struct error *error)
{
    const char *from = data;
    while (size > 0) {
        size_t room;
        void *to = s3_upload_borrow(upload, &room, error);
        if (to == NULL)
            return false;
        if (room > size)
            room = size;
        memcpy(to, from, room);
        if (!s3_upload_commit(upload, room, error))
            return false;
        from += room;
        size -= room;
    }
    return true;
}

/* ---- the end ---- */

static bool finish_small(struct s3_upload *upload, struct s3_version *version, struct error *error)
{
    const struct slot *slot = upload->filling;
    return s3_put(upload->client, upload->bucket, upload->key, upload->content_type,
                  slot == NULL ? NULL : slot->data, slot == NULL ? 0 : slot->size, version, error);
}

static bool finish_multipart(struct s3_upload *upload, struct s3_version *version, struct error *error)
{
    if (upload->filling != NULL && upload->filling->size > 0 && !send_part(upload, error))
        return false;
    unsigned parts = upload->filling == NULL ? upload->parts_begun : upload->parts_begun - 1;
    return wait_for_parts(upload, 0, true, error) &&
           s3_multipart_complete(upload->client, upload->bucket, upload->key, upload->upload_id,
                                 upload->parts, parts, version, error);
}

bool s3_upload_finish(struct s3_upload *upload, struct s3_version *version, struct error *error)
{
    struct error reason = {0};
    if (!is_usable(upload, error))
        return false;
    bool ok = upload->upload_id[0] == '\0' ? finish_small(upload, version, &reason)
                                           : finish_multipart(upload, version, &reason);
    if (!ok)
        return fail(upload, &reason, error);
    upload->finished = true;
    (void)pthread_mutex_lock(&upload->mutex);
    upload->acknowledged = upload->written;
    (void)pthread_mutex_unlock(&upload->mutex);
    return true;
}

uint64_t s3_upload_size(const struct s3_upload *upload)
{
    return upload->written;
}

uint64_t s3_upload_acknowledged(struct s3_upload *upload)
{
    (void)pthread_mutex_lock(&upload->mutex);
    uint64_t size = upload->acknowledged;
    (void)pthread_mutex_unlock(&upload->mutex);
    return size;
}

static void cancel_parts(struct s3_upload *upload)
{
    (void)pthread_mutex_lock(&upload->mutex);
    for (unsigned i = 0; i < upload->slot_count; i++) {
        if (upload->slots[i].busy)
            s3_loop_cancel(&upload->client->loop, &upload->slots[i].request);
    }
    while (upload->busy > 0)
        (void)pthread_cond_wait(&upload->changed, &upload->mutex);
    (void)pthread_mutex_unlock(&upload->mutex);
}

void s3_upload_free(struct s3_upload *upload)
{
    if (upload == NULL)
        return;
    cancel_parts(upload);
    if (upload->upload_id[0] != '\0' && !upload->finished)
        (void)s3_multipart_end(upload->client, upload->bucket, upload->key, upload->upload_id, true, NULL);
    release(upload);
}
