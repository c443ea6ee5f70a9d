#include "celeryc/results/chord.h"

#include "celeryc/message/json_text.h"
#include "celeryc/message/json_whole.h"
#include "celeryc/results/backend_state.h"
#include "celeryc/results/rpc.h"
#include "common/bytes.h"
#include "common/uuid.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DONE_SECONDS "300"
#define KEY_SIZE_MOST (RESULT_PREFIX_SIZE + 4200)

#define WHAT_IS_A_CHORD                                                                                      \
    "Note that a group chained with a task is also upgraded to be a chord,\n"                                \
    "as this pattern requires synchronization.\n\n"                                                          \
    "Result backends that supports chords: Redis, Database, Memcached, and more."

const char *chord_refusal(const char *url)
{
    struct redis_endpoint endpoint;
    if (rpc_is_url(url))
        return "The \"rpc\" result backend does not support chords!\n\n" WHAT_IS_A_CHORD;
    if (redis_endpoint_parse(url, &endpoint, NULL) && endpoint.disabled)
        return "Starting chords requires a result backend to be configured.\n\n" WHAT_IS_A_CHORD;
    return NULL;
}

/* A key of a group, in a buffer of the caller's. */
struct group_key {
    char text[KEY_SIZE_MOST];
};

static const char *key_of(const struct backend *backend, const char *group, const char *suffix,
                          struct group_key *key)
{
    snprintf(key->text, sizeof key->text, "%scelery-taskset-meta-%s%s", backend->keys.prefix, group, suffix);
    return key->text;
}

/* Runs one command; its reply is to be cleared by the caller in any case. */
static bool run(struct backend *backend, struct redis_command *command, const char *group, double deadline,
                struct error *error)
{
    bool done = backend_run(backend, &command, 1, deadline, error);
    if (done && command->state == REDIS_REFUSED)
        done = error_set(error, command->error.code, "%s", command->error.message);
    return done || error_context(error, "chord of group %.64s", group);
}

static bool run_plainly(struct backend *backend, struct redis_command *command, const char *group,
                        double deadline, struct error *error)
{
    bool done = run(backend, command, group, deadline, error);
    redis_command_clear(command);
    return done;
}

static bool replied_true(const struct redis_command *command)
{
    return command->reply != NULL && command->reply->type == REDIS_REPLY_INTEGER &&
           command->reply->integer != 0;
}

/* ---- before the parts run ---- */

static bool set_key(struct backend *backend, const char *group, const char *suffix, const char *value,
                    size_t size, double deadline, struct error *error)
{
    struct redis_command command;
    struct group_key key;
    redis_command_init(&command, NULL);
    redis_command_add_text(&command, "SET");
    redis_command_add_text(&command, key_of(backend, group, suffix, &key));
    redis_command_add(&command, value, size);
    if (strcmp(backend->keys.seconds, "0") != 0) {
        redis_command_add_text(&command, "EX");
        redis_command_add_text(&command, backend->keys.seconds);
    }
    return run_plainly(backend, &command, group, deadline, error);
}

static bool delete_key(struct backend *backend, const char *group, const char *suffix, double deadline,
                       struct error *error)
{
    struct redis_command command;
    struct group_key key;
    redis_command_init(&command, NULL);
    redis_command_add_text(&command, "DEL");
    redis_command_add_text(&command, key_of(backend, group, suffix, &key));
    return run_plainly(backend, &command, group, deadline, error);
}

bool chord_set_size(struct backend *backend, const char *group, json_int_t size, double deadline,
                    struct error *error)
{
    char text[32];
    if (backend->connection.endpoint.disabled)
        return true;
    int length = snprintf(text, sizeof text, "%lld", (long long)size);
    return delete_key(backend, group, ".c", deadline, error) &&
           set_key(backend, group, ".s", text, (size_t)length, deadline, error);
}

bool chord_add_task(struct backend *backend, const char *group, double deadline, struct error *error)
{
    struct redis_command command;
    struct group_key key;
    if (backend->connection.endpoint.disabled)
        return true;
    redis_command_init(&command, NULL);
    redis_command_add_text(&command, "INCR");
    redis_command_add_text(&command, key_of(backend, group, ".t", &key));
    return run_plainly(backend, &command, group, deadline, error);
}

bool chord_save_group(struct backend *backend, const char *group, const json_t *tuple, double deadline,
                      struct error *error)
{
    size_t size;
    if (backend->connection.endpoint.disabled)
        return true;
    json_t *object = json_pack("{s:O}", "result", tuple);
    char *text = json_text_dump(object, &size, error);
    bool saved = text != NULL && set_key(backend, group, "", text, size, deadline, error);
    free(text);
    json_decref(object);
    return saved;
}

/* ---- a part ends ---- */

static void add_keys(const struct backend *backend, struct redis_command *command, const char *group,
                     const char *const *suffixes, size_t count, struct group_key *keys)
{
    for (size_t i = 0; i < count; i++)
        redis_command_add_text(command, key_of(backend, group, suffixes[i], &keys[i]));
}

static char *encode_part(const struct chord_part *part, size_t *size, struct error *error)
{
    json_t *array = json_pack("[i, s, s, O?]", 1, part->task_id, part->status, part->result);
    char *text = array == NULL ? NULL : json_text_dump(array, size, error);
    if (array == NULL)
        error_set(error, ERROR_INVALID, "the result of task %.64s is no JSON", part->task_id);
    json_decref(array);
    return text;
}

bool chord_return(struct backend *backend, const struct chord_part *part, bool *claimed,
                  char claim[CHORD_CLAIM_SIZE], double deadline, struct error *error)
{
    static const char *const suffixes[] = {".j", ".t", ".s", ".d", "", ".c"};
    struct group_key keys[6];
    struct redis_command command;
    char index[32] = "+inf", seconds[16], made[UUID_SIZE];
    size_t size;
    *claimed = false;
    if (backend->connection.endpoint.disabled)
        return true;
    char *text = encode_part(part, &size, error);
    if (text == NULL)
        return false;
    if (part->index >= 0)
        snprintf(index, sizeof index, "%ld", part->index);
    snprintf(seconds, sizeof seconds, "%d", CHORD_CLAIM_SECONDS);
    uuid_make(made);
    snprintf(claim, CHORD_CLAIM_SIZE, "%.8s%.4s%.4s%.4s%.12s", made, made + 9, made + 14, made + 19,
             made + 24);
    redis_command_init(&command, &script_chord_part);
    redis_command_add_text(&command, "6");
    add_keys(backend, &command, part->group, suffixes, 6, keys);
    redis_command_add_text(&command, part->task_id);
    redis_command_add(&command, text, size);
    redis_command_add_text(&command, index);
    redis_command_add_text(&command, backend->keys.seconds);
    redis_command_add_text(&command, backend->keys.seconds);
    redis_command_add_text(&command, seconds);
    redis_command_add_text(&command, claim);
    redis_command_add_text(&command, part->redelivered ? "1" : "0");
    bool done = run(backend, &command, part->group, deadline, error);
    if (done) {
        const redisReply *reply = command.reply;
        bool whole = reply->type == REDIS_REPLY_ARRAY && reply->elements == 4;
        *claimed = whole && reply->element[3]->integer == 1;
        done =
            whole || error_set(error, ERROR_PROTOCOL, "Redis answers a part of a chord with something else");
    }
    redis_command_clear(&command);
    free(text);
    return done;
}

/* ---- the body is sent ---- */

static json_t *read_json(const redisReply *reply, struct error *error)
{
    if (reply->type == REDIS_REPLY_STRING)
        return json_whole_load(reply->str, reply->len, error);
    error_set(error, ERROR_PROTOCOL, "what is stored of a chord is no text");
    return NULL;
}

static bool read_results(const redisReply *reply, json_t **results, struct error *error)
{
    *results = json_array();
    bool good = reply->type == REDIS_REPLY_ARRAY ||
                error_set(error, ERROR_PROTOCOL, "Redis answers the parts of a chord with something else");
    for (size_t i = 0; good && i < reply->elements; i++) {
        json_t *part = read_json(reply->element[i], error);
        good = part != NULL && (json_array_append_new(*results, part) == 0 ||
                                error_set(error, ERROR_MEMORY, "out of memory"));
    }
    if (good)
        return true;
    json_decref(*results);
    *results = NULL;
    return false;
}

bool chord_get_results(struct backend *backend, const char *group, json_t **results, double deadline,
                       struct error *error)
{
    struct redis_command command;
    struct group_key key;
    *results = NULL;
    redis_command_init(&command, NULL);
    redis_command_add_text(&command, "ZRANGE");
    redis_command_add_text(&command, key_of(backend, group, ".j", &key));
    redis_command_add_text(&command, "0");
    redis_command_add_text(&command, "-1");
    bool done = run(backend, &command, group, deadline, error) && read_results(command.reply, results, error);
    redis_command_clear(&command);
    return done;
}

bool chord_get_group(struct backend *backend, const char *group, json_t **tuple, double deadline,
                     struct error *error)
{
    struct redis_command command;
    struct group_key key;
    *tuple = NULL;
    redis_command_init(&command, NULL);
    redis_command_add_text(&command, "GET");
    redis_command_add_text(&command, key_of(backend, group, "", &key));
    bool done = run(backend, &command, group, deadline, error);
    if (done && command.reply->type != REDIS_REPLY_NIL) {
        json_t *object = read_json(command.reply, error);
        *tuple = json_incref(json_object_get(object, "result"));
        done = object != NULL;
        json_decref(object);
    }
    redis_command_clear(&command);
    return done;
}

bool chord_keep_claim(struct backend *backend, const char *group, const char *claim, int seconds, bool *kept,
                      double deadline, struct error *error)
{
    static const char *const suffixes[] = {".c", ".s"};
    struct group_key keys[2];
    struct redis_command command;
    char text[16];
    snprintf(text, sizeof text, "%d", seconds);
    redis_command_init(&command, &script_chord_keep);
    redis_command_add_text(&command, "2");
    add_keys(backend, &command, group, suffixes, 2, keys);
    redis_command_add_text(&command, claim);
    redis_command_add_text(&command, text);
    bool done = run(backend, &command, group, deadline, error);
    *kept = done && replied_true(&command);
    redis_command_clear(&command);
    return done;
}

bool chord_finish(struct backend *backend, const char *group, const char *claim, double deadline,
                  struct error *error)
{
    static const char *const suffixes[] = {".c", ".j", ".t", ".s", ".d"};
    struct group_key keys[5];
    struct redis_command command;
    redis_command_init(&command, &script_chord_done);
    redis_command_add_text(&command, "5");
    add_keys(backend, &command, group, suffixes, 5, keys);
    redis_command_add_text(&command, claim);
    redis_command_add_text(&command, DONE_SECONDS);
    return run_plainly(backend, &command, group, deadline, error);
}

bool chord_give_up(struct backend *backend, const char *group, double deadline, struct error *error)
{
    return delete_key(backend, group, ".s", deadline, error);
}
