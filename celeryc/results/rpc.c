#include "celeryc/results/rpc.h"

#include <string.h>

bool rpc_is_url(const char *url)
{
    return url != NULL && strncmp(url, "rpc://", 6) == 0;
}

bool rpc_is_wanted(const struct task_meta *meta)
{
    return meta->reply_to != NULL && meta->reply_to[0] != '\0';
}

bool rpc_message(const struct task_meta *meta, bool persistent, struct wire_message *message,
                 struct error *error)
{
    bool has_own = meta->correlation_id != NULL && meta->correlation_id[0] != '\0';
    message->body = task_meta_encode(meta, &message->body_size, error);
    if (message->body == NULL)
        return false;
    message->exchange = strdup("");
    message->routing_key = strdup(meta->reply_to);
    message->content_type = strdup("application/json");
    message->content_encoding = strdup("utf-8");
    message->correlation_id = strdup(has_own ? meta->correlation_id : meta->task_id);
    message->delivery_mode = persistent ? 2 : 1;
    message->priority = 0;
    message->headers = json_object();
    bool whole = message->exchange != NULL && message->routing_key != NULL && message->content_type != NULL &&
                 message->content_encoding != NULL && message->correlation_id != NULL &&
                 message->headers != NULL;
    return whole || error_set(error, ERROR_MEMORY, "no memory for a result");
}
