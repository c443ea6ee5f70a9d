/* Where requests go: scheme, host and path of a bucket's objects, and the region that they are signed for.
 * The region of a bucket may turn out to be another than the client's; what was learned is kept (16 buckets,
 * thread-safe). Internal. */
#ifndef S3_ENDPOINT_H
#define S3_ENDPOINT_H

#include "common/bytes.h"
#include "s3/client.h"

#include <pthread.h>

#define S3_HOST_SIZE 320
#define S3_REGION_SIZE 64
#define S3_BUCKET_SIZE 256

struct s3_endpoint {
    bool tls;
    bool aws;     /* no endpoint was given: the host follows the region */
    bool virtual; /* bucket.host/key rather than host/bucket/key */
    bool loopback;
    char authority[S3_HOST_SIZE]; /* host[:port] as in the Host header, without a default port; unused for AWS
                                   */
    char region[S3_REGION_SIZE];
    pthread_mutex_t mutex; /* of what follows */
    struct {
        char bucket[S3_BUCKET_SIZE];
        char region[S3_REGION_SIZE];
    } learned[16];
    size_t learned_count;
};

bool s3_endpoint_init(struct s3_endpoint *endpoint, const char *url, const char *region, enum s3_style style,
                      struct error *error);
void s3_endpoint_clear(struct s3_endpoint *endpoint);

/* The Host header for the bucket. A bucket with a dot is always addressed by path over TLS: no certificate
 * fits it. */
bool s3_endpoint_host(struct s3_endpoint *endpoint, const char *bucket, char host[S3_HOST_SIZE],
                      struct error *error);

/* The encoded path, appended; `key` may be NULL (the bucket itself), `bucket` too (the service). */
bool s3_endpoint_path(const struct s3_endpoint *endpoint, const char *bucket, const char *key,
                      struct bytes *path, struct error *error);

void s3_endpoint_region(struct s3_endpoint *endpoint, const char *bucket, char region[S3_REGION_SIZE]);

/* Remembers the bucket's region; false when it is the one already used, or no region's name. */
bool s3_endpoint_learn(struct s3_endpoint *endpoint, const char *bucket, const char *region);

#endif
