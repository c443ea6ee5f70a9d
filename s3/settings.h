/* The settings of S3 that every program which uses it has: where it is and who we are, as AWS's own tools
 * name them in the environment. A program puts the rows into its table of settings (common/setting.h), checks
 * them when the table was read, and makes its clients of them. Text points into argv or the environment.
 * Pure. */
#ifndef S3_SETTINGS_H
#define S3_SETTINGS_H

#include "common/setting.h"
#include "s3/client.h"

struct s3_options {
    const char *endpoint, *region, *access_key, *secret_key, *session_token, *style, *ca_file;
};

#define S3_SETTING(name, variable, field, initial, metavar, help, secret)                                    \
    {                                                                                                        \
        name, 0, variable, SETTING_TEXT, &(field), initial, 0, 0, metavar, help, secret                      \
    }

/* The rows; they fill `options`, a struct s3_options of static storage. */
#define S3_SETTINGS(options)                                                                                 \
    S3_SETTING("s3-endpoint", "AWS_ENDPOINT_URL_S3", (options).endpoint, NULL, "URL",                        \
               "The S3 service; AWS's own of the region where it is not set.", false),                       \
        S3_SETTING("s3-region", "AWS_REGION", (options).region, "us-east-1", "NAME", "Its region.", false),  \
        S3_SETTING("s3-access-key", "AWS_ACCESS_KEY_ID", (options).access_key, NULL, "KEY",                  \
                   "Access key; without one requests are not signed.", true),                                \
        S3_SETTING("s3-secret-key", "AWS_SECRET_ACCESS_KEY", (options).secret_key, NULL, "KEY",              \
                   "Secret key.", true),                                                                     \
        S3_SETTING("s3-session-token", "AWS_SESSION_TOKEN", (options).session_token, NULL, "TOKEN",          \
                   "Token of temporary credentials.", true),                                                 \
        S3_SETTING("s3-style", "S3_STYLE", (options).style, "auto", "STYLE",                                 \
                   "How buckets stand in URLs: path, virtual, or auto (path when there is an endpoint).",    \
                   false),                                                                                   \
        S3_SETTING("s3-ca-file", "AWS_CA_BUNDLE", (options).ca_file, NULL, "FILE",                           \
                   "PEM file of trusted authorities instead of the system's.", false)

/* Checks what the rows cannot. ERROR_INVALID names the setting. */
bool s3_options_check(const struct s3_options *options, struct error *error);

/* The same for a setting that names a bucket: `setting` is its long name. */
bool s3_options_check_bucket(const char *setting, const char *bucket, struct error *error);

/* What of it concerns a client; the rest is the default. The options have been checked. */
struct s3_settings s3_options_client(const struct s3_options *options);

#endif
