#include "worker/cancellation.h"

#include "celeryc/include/celeryc/store.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT 10.0
#define KEY_SIZE 256

bool cancellation_was_asked(const char *url, const char *id)
{
    struct error error = {0};
    struct celery_store_options options = {.url = url, .connections = 1};
    struct celery_store *store = celery_store_new(&options, &error);
    char key[KEY_SIZE];
    (void)snprintf(key, sizeof key, "logmerge:cancelled:%s", id);
    const char *keys[] = {key};
    struct celery_value value = {0};
    if (store == NULL || !celery_store_get(store, keys, &value, 1, TIMEOUT, &error))
        log_write(LOG_WARNING, id, "could not look whether the merge was cancelled: %s", error.message);
    bool asked = value.data != NULL;
    free(value.data);
    celery_store_free(store);
    return asked;
}
