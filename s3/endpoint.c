#include "s3/endpoint.h"

#include "common/url.h"
#include "s3/encode.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_REGION "us-east-1"

static bool region_is_valid(const char *region)
{
    size_t length = strlen(region);
    return length > 0 && length < S3_REGION_SIZE &&
           strspn(region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == length;
}

static bool host_is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static bool read_url(struct s3_endpoint *endpoint, const char *text, struct error *error)
{
    struct url url;
    if (!url_parse(text, &url, error))
        return error_context(error, "endpoint of S3");
    endpoint->tls = strcmp(url.scheme, "https") == 0;
    if (!endpoint->tls && strcmp(url.scheme, "http") != 0)
        return error_set(error, ERROR_INVALID, "endpoint of S3: %s:// is neither http:// nor https://",
                         url.scheme);
    if (url.host[0] == '\0' || url.user[0] != '\0' || url.path[0] != '\0' || url.query[0] != '\0')
        return error_set(error, ERROR_INVALID, "endpoint of S3: it should look like http[s]://host[:port]");
    if (url.host[strspn(url.host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:")] !=
        '\0')
        return error_set(error, ERROR_INVALID, "endpoint of S3: no such host");
    bool bracket = strchr(url.host, ':') != NULL;
    char port[8] = "";
    if (url.port != 0 && url.port != (endpoint->tls ? 443 : 80))
        (void)snprintf(port, sizeof port, ":%d", url.port);
    (void)snprintf(endpoint->authority, S3_HOST_SIZE, "%s%s%s%s", bracket ? "[" : "", url.host,
                   bracket ? "]" : "", port);
    endpoint->loopback = host_is_loopback(url.host);
    return true;
}

bool s3_endpoint_init(struct s3_endpoint *endpoint, const char *url, const char *region, enum s3_style style,
                      struct error *error)
{
    *endpoint = (struct s3_endpoint){.tls = true, .aws = url == NULL || url[0] == '\0'};
    if (region == NULL || region[0] == '\0')
        region = DEFAULT_REGION;
    if (!region_is_valid(region))
        return error_set(error, ERROR_INVALID, "'%.64s' is no name of a region", region);
    (void)snprintf(endpoint->region, S3_REGION_SIZE, "%s", region);
    if (!endpoint->aws && !read_url(endpoint, url, error))
        return false;
    endpoint->virtual = style == S3_STYLE_VIRTUAL || (style == S3_STYLE_AUTO && endpoint->aws);
    if (pthread_mutex_init(&endpoint->mutex, NULL) != 0)
        return error_set(error, ERROR_MEMORY, "no memory for a lock");
    return true;
}

void s3_endpoint_clear(struct s3_endpoint *endpoint)
{
    (void)pthread_mutex_destroy(&endpoint->mutex);
}

static bool in_host(const struct s3_endpoint *endpoint, const char *bucket)
{
    return bucket != NULL && endpoint->virtual && !(endpoint->tls && strchr(bucket, '.') != NULL);
}

bool s3_endpoint_host(struct s3_endpoint *endpoint, const char *bucket, char host[S3_HOST_SIZE],
                      struct error *error)
{
    char authority[S3_HOST_SIZE];
    if (endpoint->aws) {
        char region[S3_REGION_SIZE];
        s3_endpoint_region(endpoint, bucket, region);
        bool china = strncmp(region, "cn-", 3) == 0;
        (void)snprintf(authority, sizeof authority, "s3.%s.amazonaws.com%s", region, china ? ".cn" : "");
    } else {
        (void)snprintf(authority, sizeof authority, "%s", endpoint->authority);
    }
    bool prefix = in_host(endpoint, bucket);
    int length = snprintf(host, S3_HOST_SIZE, "%s%s%s", prefix ? bucket : "", prefix ? "." : "", authority);
    if (length < 0 || length >= S3_HOST_SIZE)
        return error_set(error, ERROR_INVALID, "the name of bucket and endpoint is too long for a host");
    return true;
}

bool s3_endpoint_path(const struct s3_endpoint *endpoint, const char *bucket, const char *key,
                      struct bytes *path, struct error *error)
{
    if (!bytes_append_text(path, "/", error))
        return false;
    if (bucket == NULL)
        return true;
    if (!in_host(endpoint, bucket)) {
        if (!s3_encode(path, bucket, false, error))
            return false;
        if (key != NULL && !bytes_append_text(path, "/", error))
            return false;
    }
    return key == NULL || s3_encode(path, key, true, error);
}

void s3_endpoint_region(struct s3_endpoint *endpoint, const char *bucket, char region[S3_REGION_SIZE])
{
    (void)pthread_mutex_lock(&endpoint->mutex);
    const char *found = endpoint->region;
    for (size_t i = 0; bucket != NULL && i < endpoint->learned_count; i++) {
        if (strcmp(endpoint->learned[i].bucket, bucket) == 0)
            found = endpoint->learned[i].region;
    }
    (void)snprintf(region, S3_REGION_SIZE, "%s", found);
    (void)pthread_mutex_unlock(&endpoint->mutex);
}

bool s3_endpoint_learn(struct s3_endpoint *endpoint, const char *bucket, const char *region)
{
    char current[S3_REGION_SIZE];
    s3_endpoint_region(endpoint, bucket, current);
    if (bucket == NULL || strlen(bucket) >= S3_BUCKET_SIZE || !region_is_valid(region) ||
        strcmp(current, region) == 0)
        return false;
    (void)pthread_mutex_lock(&endpoint->mutex);
    size_t capacity = sizeof endpoint->learned / sizeof endpoint->learned[0], at = 0;
    while (at < endpoint->learned_count && strcmp(endpoint->learned[at].bucket, bucket) != 0)
        at++;
    if (at == capacity)
        at = 0;
    if (at == endpoint->learned_count)
        endpoint->learned_count++;
    (void)snprintf(endpoint->learned[at].bucket, S3_BUCKET_SIZE, "%s", bucket);
    (void)snprintf(endpoint->learned[at].region, S3_REGION_SIZE, "%s", region);
    (void)pthread_mutex_unlock(&endpoint->mutex);
    return true;
}
