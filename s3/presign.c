#include "s3/presign.h"

#include "s3/client_state.h"
#include "s3/request.h"

#define EXPIRES 3600u
#define EXPIRES_LIMIT 604800u

static bool write_url(struct s3_client *client, struct s3_endpoint *endpoint, const char *method,
                      const char *bucket, const char *key, const struct s3_presign_options *options,
                      struct bytes *url, struct error *error)
{
    char host[S3_HOST_SIZE], region[S3_REGION_SIZE];
    struct s3_field query[2], header;
    size_t count = 0;
    if (options->disposition != NULL)
        query[count++] = (struct s3_field){"response-content-disposition", options->disposition};
    if (options->content_type != NULL)
        query[count++] = (struct s3_field){"response-content-type", options->content_type};
    s3_endpoint_region(&client->endpoint, bucket, region);
    struct bytes path = {0};
    bool ok = s3_endpoint_host(endpoint, bucket, host, error) &&
              s3_endpoint_path(endpoint, bucket, key, &path, error) &&
              (bytes_text(&path) != NULL || error_set(error, ERROR_MEMORY, "no memory for a URL"));
    if (ok) {
        header = (struct s3_field){"host", host};
        struct s3_signing signing = {.method = method,
                                     .path = path.data,
                                     .query = query,
                                     .query_count = count,
                                     .headers = &header,
                                     .header_count = 1,
                                     .payload = S3_UNSIGNED_PAYLOAD,
                                     .time = (int64_t)s3_loop_clock(&client->loop),
                                     .region = region,
                                     .service = "s3"};
        ok = bytes_append_format(url, error, "%s://%s%s?", endpoint->tls ? "https" : "http", host,
                                 path.data) &&
             s3_sign_query(&signing, &client->credentials, options->expires == 0 ? EXPIRES : options->expires,
                           url, error);
    }
    bytes_clear(&path);
    return ok;
}

bool s3_presign(struct s3_client *client, const char *method, const char *bucket, const char *key,
                const struct s3_presign_options *options, struct bytes *url, struct error *error)
{
    static const struct s3_presign_options none;
    if (options == NULL)
        options = &none;
    if (client->access_key == NULL)
        return error_set(error, ERROR_DENIED, "a presigned URL needs credentials");
    if (options->expires > EXPIRES_LIMIT)
        return error_set(error, ERROR_INVALID, "a presigned URL is valid for at most %u seconds",
                         EXPIRES_LIMIT);
    if (!s3_names_check(bucket, key, error))
        return false;
    if (options->endpoint == NULL)
        return write_url(client, &client->endpoint, method, bucket, key, options, url, error);

    struct s3_endpoint outside;
    char region[S3_REGION_SIZE];
    s3_endpoint_region(&client->endpoint, bucket, region);
    enum s3_style style = client->endpoint.virtual ? S3_STYLE_VIRTUAL : S3_STYLE_PATH;
    if (!s3_endpoint_init(&outside, options->endpoint, region, style, error))
        return false;
    bool ok = write_url(client, &outside, method, bucket, key, options, url, error);
    s3_endpoint_clear(&outside);
    return ok;
}
