/* Where and how long a state is stored: the key of a task, and the text with the command that stores it. What
 * the blocking and the asynchronous backend share. */
#ifndef CELERYC_RESULTS_KEYS_H
#define CELERYC_RESULTS_KEYS_H

#include "celeryc/results/backend.h"
#include "celeryc/results/connection.h"

#define RESULT_PREFIX_SIZE 256

struct result_keys {
    char prefix[RESULT_PREFIX_SIZE]; /* global_keyprefix */
    char seconds[24];                /* result_expires as text; "0" for ever */
};

/* Checks and copies what the options say of keys. */
bool result_keys_init(struct result_keys *keys, const struct backend_options *options, struct error *error);

/* prefix + "celery-task-meta-" + id; a new string. The id may be any text that came in a message. */
char *result_keys_task(const struct result_keys *keys, const char *task_id);

/* One state on its way: its own copy of everything. */
struct result_text {
    char *key;
    char *text;
    size_t size;
    char seconds[24];
    bool unless_begun;
};

bool result_text_init(struct result_text *text, const struct result_keys *keys, const struct task_meta *meta,
                      struct error *error);
void result_text_clear(struct result_text *text);
/* The command that stores it (store.lua); it borrows from `text`. */
void result_text_command(const struct result_text *text, struct redis_command *command);

#endif
