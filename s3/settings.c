#include "s3/settings.h"

#include "s3/bucket.h"
#include "s3/endpoint.h"

#include <string.h>
#include <unistd.h>

static bool parse_style(const char *name, enum s3_style *style)
{
    static const char *const names[] = {
        [S3_STYLE_AUTO] = "auto", [S3_STYLE_PATH] = "path", [S3_STYLE_VIRTUAL] = "virtual"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            *style = (enum s3_style)i;
            return true;
        }
    }
    return false;
}

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

bool s3_options_check(const struct s3_options *options, struct error *error)
{
    enum s3_style style;
    if (!parse_style(options->style, &style))
        return error_set(error, ERROR_INVALID, "--s3-style: \"%s\" is not auto, path or virtual",
                         options->style);
    if (is_set(options->access_key) != is_set(options->secret_key))
        return error_set(error, ERROR_INVALID, "--s3-access-key and --s3-secret-key: set both or neither");
    if (is_set(options->ca_file) && access(options->ca_file, R_OK) != 0)
        return error_set_errno(error, "--s3-ca-file: cannot read %s", options->ca_file);
    struct s3_endpoint endpoint;
    if (!s3_endpoint_init(&endpoint, options->endpoint, options->region, style, error))
        return error_context(error, "--s3-endpoint, --s3-region");
    s3_endpoint_clear(&endpoint);
    return true;
}

bool s3_options_check_bucket(const char *setting, const char *bucket, struct error *error)
{
    if (s3_bucket_is_valid(bucket))
        return true;
    return error_set(error, ERROR_INVALID, "--%s: \"%s\" is not a name that S3 allows for a bucket", setting,
                     bucket);
}

struct s3_settings s3_options_client(const struct s3_options *options)
{
    enum s3_style style = S3_STYLE_AUTO;
    (void)parse_style(options->style, &style);
    return (struct s3_settings){.endpoint = options->endpoint,
                                .region = options->region,
                                .access_key = options->access_key,
                                .secret_key = options->secret_key,
                                .session_token = options->session_token,
                                .style = style,
                                .ca_file = options->ca_file};
}
