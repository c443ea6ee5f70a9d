#include "celeryc/results/keys.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY 86400.0
#define EXPIRES_MOST 3.2e9 /* a century; Redis refuses what overflows its clock */

bool result_keys_init(struct result_keys *keys, const struct backend_options *options, struct error *error)
{
    double expires = options->expires == 0 ? DAY : options->expires;
    const char *prefix = options->key_prefix != NULL ? options->key_prefix : "";
    if (isnan(expires))
        return error_set(error, ERROR_INVALID, "result_expires is not a number");
    if (strlen(prefix) >= sizeof keys->prefix)
        return error_set(error, ERROR_LIMIT, "the prefix of keys is longer than %d bytes",
                         RESULT_PREFIX_SIZE - 1);
    snprintf(keys->prefix, sizeof keys->prefix, "%s", prefix);
    /* Less than a second would be never for SETEX, more than a century out of its range. */
    double seconds = expires < 0 ? 0 : fmin(fmax(ceil(expires), 1), EXPIRES_MOST);
    snprintf(keys->seconds, sizeof keys->seconds, "%.0f", seconds);
    return true;
}

char *result_keys_task(const struct result_keys *keys, const char *task_id)
{
    char *key = NULL;
    return asprintf(&key, "%scelery-task-meta-%s", keys->prefix, task_id) < 0 ? NULL : key;
}

bool result_text_init(struct result_text *text, const struct result_keys *keys, const struct task_meta *meta,
                      struct error *error)
{
    *text = (struct result_text){.key = result_keys_task(keys, meta->task_id),
                                 .unless_begun = meta->unless_begun};
    if (text->key == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    memcpy(text->seconds, keys->seconds, sizeof text->seconds);
    text->text = task_meta_encode(meta, &text->size, error);
    if (text->text != NULL)
        return true;
    result_text_clear(text);
    return false;
}

void result_text_clear(struct result_text *text)
{
    free(text->key);
    free(text->text);
    *text = (struct result_text){.key = NULL};
}

void result_text_command(const struct result_text *text, struct redis_command *command)
{
    redis_command_init(command, &script_store);
    redis_command_add_text(command, "1");
    redis_command_add_text(command, text->key);
    redis_command_add(command, text->text, text->size);
    redis_command_add_text(command, text->seconds);
    redis_command_add_text(command, text->unless_begun ? "1" : "0");
}
