#include "s3/endpoint.h"

#include "s3/bucket.h"
#include "tests/unit/unit.h"

static void expect(const char *url, const char *region, enum s3_style style, const char *bucket,
                   const char *key, const char *host, const char *path)
{
    struct s3_endpoint endpoint;
    char written[S3_HOST_SIZE];
    struct bytes bytes = {0};
    CU_ASSERT_FATAL(s3_endpoint_init(&endpoint, url, region, style, NULL));
    CU_ASSERT(s3_endpoint_host(&endpoint, bucket, written, NULL));
    CU_ASSERT_STRING_EQUAL(written, host);
    CU_ASSERT(s3_endpoint_path(&endpoint, bucket, key, &bytes, NULL));
    CU_ASSERT_STRING_EQUAL(bytes_text(&bytes), path);
    bytes_clear(&bytes);
    s3_endpoint_clear(&endpoint);
}

static void aws_is_addressed_by_virtual_hosts(void)
{
    expect(NULL, "eu-central-1", S3_STYLE_AUTO, "logs", "2019-08-17_1", "logs.s3.eu-central-1.amazonaws.com",
           "/2019-08-17_1");
    expect(NULL, NULL, S3_STYLE_AUTO, "logs", NULL, "logs.s3.us-east-1.amazonaws.com", "/");
    expect(NULL, "cn-north-1", S3_STYLE_AUTO, "logs", "a", "logs.s3.cn-north-1.amazonaws.com.cn", "/a");
}

static void other_servers_are_addressed_by_paths(void)
{
    expect("http://minio:9000", NULL, S3_STYLE_AUTO, "logs", "a b/c", "minio:9000", "/logs/a%20b/c");
    expect("http://minio:9000", NULL, S3_STYLE_VIRTUAL, "logs", "a", "logs.minio:9000", "/a");
    expect("http://[::1]:9000/", NULL, S3_STYLE_AUTO, "logs", NULL, "[::1]:9000", "/logs");
}

static void default_ports_are_not_named(void)
{
    expect("http://s3.example:80", NULL, S3_STYLE_AUTO, "logs", NULL, "s3.example", "/logs");
    expect("https://s3.example:443", NULL, S3_STYLE_AUTO, "logs", NULL, "s3.example", "/logs");
    expect("https://s3.example:80", NULL, S3_STYLE_AUTO, "logs", NULL, "s3.example:80", "/logs");
}

static void a_bucket_with_dots_fits_no_certificate(void)
{
    expect(NULL, NULL, S3_STYLE_AUTO, "my.logs", "k", "s3.us-east-1.amazonaws.com", "/my.logs/k");
    expect("http://s3.example", NULL, S3_STYLE_VIRTUAL, "my.logs", "k", "my.logs.s3.example", "/k");
}

static void bad_endpoints_are_refused(void)
{
    static const char *const bad[] = {"minio:9000",         "ftp://minio",       "http://",
                                      "http://u:p@minio",   "http://minio/path", "http://minio?x=y",
                                      "http://mi%0d%0anio", "http://minio:99999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct s3_endpoint endpoint;
        struct error error = {0};
        CU_ASSERT_FALSE(s3_endpoint_init(&endpoint, bad[i], NULL, S3_STYLE_AUTO, &error));
        CU_ASSERT(error.code == ERROR_INVALID);
    }
    struct s3_endpoint endpoint;
    CU_ASSERT_FALSE(s3_endpoint_init(&endpoint, NULL, "no region", S3_STYLE_AUTO, NULL));
}

static void the_region_of_a_bucket_can_be_learned(void)
{
    struct s3_endpoint endpoint;
    char host[S3_HOST_SIZE];
    CU_ASSERT_FATAL(s3_endpoint_init(&endpoint, NULL, NULL, S3_STYLE_AUTO, NULL));
    CU_ASSERT(s3_endpoint_learn(&endpoint, "logs", "eu-west-3"));
    CU_ASSERT_FALSE(s3_endpoint_learn(&endpoint, "logs", "eu-west-3"));
    CU_ASSERT_FALSE(s3_endpoint_learn(&endpoint, "logs", "evil.example/"));
    CU_ASSERT(s3_endpoint_host(&endpoint, "logs", host, NULL));
    CU_ASSERT_STRING_EQUAL(host, "logs.s3.eu-west-3.amazonaws.com");
    CU_ASSERT(s3_endpoint_host(&endpoint, "merged", host, NULL));
    CU_ASSERT_STRING_EQUAL(host, "merged.s3.us-east-1.amazonaws.com");
    for (char name[] = "bucket-a"; name[7] <= 'z'; name[7]++)
        CU_ASSERT(s3_endpoint_learn(&endpoint, name, "eu-west-1"));
    s3_endpoint_clear(&endpoint);
}

static void names_of_buckets_are_checked(void)
{
    CU_ASSERT(s3_bucket_is_valid("logs"));
    CU_ASSERT(s3_bucket_is_valid("my.logs-2019"));
    static const char *const bad[] = {
        "",        "ab",
        "Logs",    "lo/gs",
        "-logs",   "logs.",
        "lo..gs",  "lo gs",
        "log\r\n", "0123456789012345678901234567890123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(s3_bucket_is_valid(bad[i]));
}

UNIT_MAIN("endpoints", {"AWS is addressed by virtual hosts", aws_is_addressed_by_virtual_hosts},
          {"other servers are addressed by paths", other_servers_are_addressed_by_paths},
          {"default ports are not named", default_ports_are_not_named},
          {"a bucket with dots fits no certificate", a_bucket_with_dots_fits_no_certificate},
          {"bad endpoints are refused", bad_endpoints_are_refused},
          {"the region of a bucket can be learned", the_region_of_a_bucket_can_be_learned},
          {"names of buckets are checked", names_of_buckets_are_checked})
