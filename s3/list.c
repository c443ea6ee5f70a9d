#include "s3/list.h"

#include "common/clock.h"
#include "s3/encode.h"
#include "s3/request.h"
#include "s3/xml.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_LIMIT 1000u
#define PAGES_LIMIT 1000000u
#define ANSWER_LIMIT ((size_t)16 << 20) /* 1,000 keys of 1 KiB, each byte as "%XX", fit */

/* A page is read whole before anyone sees it: how keys are encoded may be said behind them. */
struct page {
    struct item {
        char *key;
        struct s3_version version;
    } items[PAGE_LIMIT];
    size_t count;
    struct item current;
    char *token; /* of the next page; NULL: none was named */
    bool truncated;
    bool encoded;
};

static bool keep_text(char **to, const char *text, struct error *error)
{
    free(*to);
    *to = strdup(text);
    return *to != NULL || error_set(error, ERROR_MEMORY, "no memory for a list of objects");
}

static bool take_text(void *context, const char *path, char *text, struct error *error)
{
    struct page *page = context;
    const char *name = strchr(path, '/');
    struct s3_version *version = &page->current.version;
    double modified;
    if (name == NULL)
        return true;
    name++;
    if (strcmp(name, "Contents/Key") == 0)
        return keep_text(&page->current.key, text, error);
    if (strcmp(name, "NextContinuationToken") == 0)
        return text[0] == '\0' || keep_text(&page->token, text, error);
    if (strcmp(name, "IsTruncated") == 0)
        page->truncated = strcmp(text, "true") == 0;
    else if (strcmp(name, "EncodingType") == 0)
        page->encoded = strcmp(text, "url") == 0;
    else if (strcmp(name, "Contents/LastModified") == 0)
        version->modified = clock_parse_iso8601(text, true, &modified) ? (int64_t)modified : 0;
    else if (strcmp(name, "Contents/ETag") == 0 && strlen(text) < sizeof version->etag &&
             strcmp(text, "\"\"") != 0)
        (void)snprintf(version->etag, sizeof version->etag, "%s", text);
    else if (strcmp(name, "Contents/Size") == 0 && sscanf(text, "%" SCNu64, &version->size) != 1)
        return error_set(error, ERROR_PROTOCOL, "a list with a size that is no number");
    return true;
}

static bool end_item(void *context, const char *path, struct error *error)
{
    struct page *page = context;
    const char *name = strchr(path, '/');
    if (name == NULL || strcmp(name, "/Contents") != 0)
        return true;
    if (page->current.key == NULL)
        return error_set(error, ERROR_PROTOCOL, "a list with an object without a key");
    if (page->count == PAGE_LIMIT)
        return error_set(error, ERROR_PROTOCOL, "a list with more than %u objects a page", PAGE_LIMIT);
    page->items[page->count++] = page->current;
    page->current = (struct item){0};
    return true;
}

static void clear_items(struct page *page)
{
    for (size_t i = 0; i < page->count; i++)
        free(page->items[i].key);
    free(page->current.key);
    page->current = (struct item){0};
    page->count = 0;
    page->truncated = page->encoded = false;
}

/* Replaces what `page` held by the page behind its token. */
static bool fetch(struct s3_client *client, const char *bucket, const struct s3_list_options *options,
                  struct page *page, struct error *error)
{
    char *token = page->token, keys[16];
    page->token = NULL;
    clear_items(page);
    unsigned count = options->page == 0 || options->page > PAGE_LIMIT ? PAGE_LIMIT : options->page;
    (void)snprintf(keys, sizeof keys, "%u", count);
    struct s3_request request;
    s3_request_init(&request, "GET", bucket, NULL);
    s3_request_query(&request, "list-type", "2");
    s3_request_query(&request, "encoding-type", "url");
    s3_request_query(&request, "max-keys", keys);
    if (options->prefix != NULL && options->prefix[0] != '\0')
        s3_request_query(&request, "prefix", options->prefix);
    if (token != NULL)
        s3_request_query(&request, "continuation-token", token);
    else if (options->start_after != NULL && options->start_after[0] != '\0')
        s3_request_query(&request, "start-after", options->start_after);
    request.answer_limit = ANSWER_LIMIT;

    struct s3_xml_visitor visitor = {take_text, end_item, page};
    bool ok = s3_request_run(client, &request, error);
    if (ok && !s3_xml_read(request.response.body.data, request.response.body.size, &visitor, error))
        ok = error_context(error, "list of s3://%s", bucket);
    if (ok && page->truncated && (page->token == NULL || (token != NULL && strcmp(token, page->token) == 0)))
        ok = error_set(error, ERROR_PROTOCOL,
                       "list of s3://%s: it goes on, but the server does not say where", bucket);
    s3_request_clear(&request);
    free(token);
    return ok;
}

static bool wanted(const struct s3_list_options *options, const char *key)
{
    return options->start_after == NULL || strcmp(key, options->start_after) > 0;
}

bool s3_list(struct s3_client *client, const char *bucket, const struct s3_list_options *options,
             enum s3_list_answer (*each)(void *context, const struct s3_entry *entry, struct error *error),
             void *context, struct error *error)
{
    static const struct s3_list_options none;
    if (options == NULL)
        options = &none;
    struct page *page = calloc(1, sizeof *page);
    if (page == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a list of objects");
    bool ok = true, more = true;
    for (unsigned pages = 0; ok && more; pages++) {
        if (pages == PAGES_LIMIT) {
            ok = error_set(error, ERROR_LIMIT, "list of s3://%s: more than %u pages", bucket, PAGES_LIMIT);
            break;
        }
        ok = fetch(client, bucket, options, page, error);
        more = page->truncated;
        for (size_t i = 0; ok && i < page->count; i++) {
            if (page->encoded)
                s3_decode(page->items[i].key);
            if (!wanted(options, page->items[i].key))
                continue;
            struct s3_entry entry = {page->items[i].key, page->items[i].version};
            enum s3_list_answer answer = each(context, &entry, error);
            ok = answer != S3_LIST_FAIL;
            if (answer == S3_LIST_STOP) {
                more = false;
                break;
            }
        }
    }
    clear_items(page);
    free(page->token);
    free(page);
    return ok;
}
