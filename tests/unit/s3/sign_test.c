/* The examples that AWS publishes: the SigV4 test suite (as in botocore and aws-c-auth), and those of the S3
 * API reference
 * ("Signature Calculations for the Authorization Header", "Using Query Parameters"). */
#include "s3/sign.h"
#include "tests/unit/unit.h"

#include <string.h>

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define S3_HOST "examplebucket.s3.amazonaws.com"

static const struct s3_credentials suite = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL};
static const struct s3_credentials example = {"AKIAIOSFODNN7EXAMPLE",
                                              "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NULL};

static struct s3_signing suite_request(const char *method, const struct s3_field *query, size_t query_count)
{
    static const struct s3_field headers[] = {{"x-amz-date", "20150830T123600Z"},
                                              {"host", "example.amazonaws.com"}};
    return (struct s3_signing){.method = method,
                               .path = "/",
                               .query = query,
                               .query_count = query_count,
                               .headers = headers,
                               .header_count = 2,
                               .payload = EMPTY,
                               .time = 1440938160,
                               .region = "us-east-1",
                               .service = "service"};
}

static struct s3_signing s3_request(const char *method, const char *path, const struct s3_field *headers,
                                    size_t count)
{
    return (struct s3_signing){.method = method,
                               .path = path,
                               .headers = headers,
                               .header_count = count,
                               .payload = EMPTY,
                               .time = 1369353600,
                               .region = "us-east-1",
                               .service = "s3"};
}

static void expect_signature(const struct s3_signing *signing, const struct s3_credentials *credentials,
                             const char *names, const char *signature)
{
    struct bytes text = {0};
    CU_ASSERT(s3_sign_header(signing, credentials, &text, NULL));
    const char *line = bytes_text(&text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(strstr(line, "Signature="));
    CU_ASSERT_STRING_EQUAL(strstr(line, "Signature=") + 10, signature);
    const char *signed_names = strstr(line, "SignedHeaders=");
    CU_ASSERT_PTR_NOT_NULL_FATAL(signed_names);
    CU_ASSERT(strncmp(signed_names + 14, names, strlen(names)) == 0 &&
              signed_names[14 + strlen(names)] == ',');
    bytes_clear(&text);
}

static void the_suite_get_vanilla_has_its_published_header(void)
{
    struct s3_signing signing = suite_request("GET", NULL, 0);
    struct bytes text = {0};
    CU_ASSERT(s3_sign_header(&signing, &suite, &text, NULL));
    CU_ASSERT_STRING_EQUAL(bytes_text(&text),
                           "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                           "SignedHeaders=host;x-amz-date, "
                           "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    bytes_clear(&text);
}

static void the_suite_post_vanilla_has_its_published_signature(void)
{
    struct s3_signing signing = suite_request("POST", NULL, 0);
    expect_signature(&signing, &suite, "host;x-amz-date",
                     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

static void parameters_are_signed_in_the_order_of_their_names(void)
{
    static const struct s3_field query[] = {{"Param2", "value2"}, {"Param1", "value1"}};
    struct s3_signing signing = suite_request("GET", query, 2);
    expect_signature(&signing, &suite, "host;x-amz-date",
                     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

static void headers_of_the_suite_are_signed_with_their_values(void)
{
    static const struct s3_field headers[] = {{"host", "example.amazonaws.com"},
                                              {"my-header1", "value2,value2,value1"},
                                              {"x-amz-date", "20150830T123600Z"}};
    struct s3_signing signing = suite_request("GET", NULL, 0);
    signing.headers = headers;
    signing.header_count = 3;
    expect_signature(&signing, &suite, "host;my-header1;x-amz-date",
                     "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea");
}

static void spaces_around_and_within_values_do_not_count(void)
{
    static const struct s3_field headers[] = {{"host", " \texample.amazonaws.com  "},
                                              {"x-amz-date", "20150830T123600Z"},
                                              {"my-header1", "  a   b  "}};
    struct s3_signing signing = suite_request("GET", NULL, 0);
    signing.headers = headers;
    signing.header_count = 3;
    struct bytes canonical = {0}, names = {0};
    CU_ASSERT(s3_sign_canonical_request(&signing, &canonical, &names, NULL));
    CU_ASSERT_STRING_EQUAL(
        bytes_text(&canonical),
        "GET\n/\n\nhost:example.amazonaws.com\nmy-header1:a b\nx-amz-date:20150830T123600Z\n\n"
        "host;my-header1;x-amz-date\n" EMPTY);
    bytes_clear(&canonical);
    bytes_clear(&names);
}

static void the_old_suite_get_utf8_has_its_published_signature(void)
{
    static const struct s3_field headers[] = {{"date", "Mon, 09 Sep 2011 23:36:00 GMT"},
                                              {"host", "host.foo.com"}};
    struct s3_signing signing = {.method = "GET",
                                 .path = "/%25E1%2588%25B4",
                                 .headers = headers,
                                 .header_count = 2,
                                 .payload = EMPTY,
                                 .time = 1315611360,
                                 .region = "us-east-1",
                                 .service = "host"};
    expect_signature(&signing, &suite, "date;host",
                     "57b1eb3df3b16a8479c0097b66c0b261cfd65b829419a3f2c3d05319722490b8");
}

static void s3_get_object_with_a_range_has_its_published_signature(void)
{
    static const struct s3_field headers[] = {{"host", S3_HOST},
                                              {"range", "bytes=0-9"},
                                              {"x-amz-content-sha256", EMPTY},
                                              {"x-amz-date", "20130524T000000Z"}};
    struct s3_signing signing = s3_request("GET", "/test.txt", headers, 4);
    expect_signature(&signing, &example, "host;range;x-amz-content-sha256;x-amz-date",
                     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void s3_put_object_has_its_published_signature(void)
{
    char hash[S3_HASH_SIZE];
    CU_ASSERT(s3_hash("Welcome to Amazon S3.", 21, hash, NULL));
    CU_ASSERT_STRING_EQUAL(hash, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
    struct s3_field headers[] = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                 {"host", S3_HOST},
                                 {"x-amz-content-sha256", hash},
                                 {"x-amz-date", "20130524T000000Z"},
                                 {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
    struct s3_signing signing = s3_request("PUT", "/test%24file.text", headers, 5);
    signing.payload = hash;
    expect_signature(&signing, &example, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void s3_queries_have_their_published_signatures(void)
{
    static const struct s3_field headers[] = {
        {"host", S3_HOST}, {"x-amz-content-sha256", EMPTY}, {"x-amz-date", "20130524T000000Z"}};
    static const struct s3_field lifecycle[] = {{"lifecycle", ""}},
                                 list[] = {{"prefix", "J"}, {"max-keys", "2"}};
    struct s3_signing signing = s3_request("GET", "/", headers, 3);
    signing.query = lifecycle;
    signing.query_count = 1;
    expect_signature(&signing, &example, "host;x-amz-content-sha256;x-amz-date",
                     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    signing.query = list;
    signing.query_count = 2;
    expect_signature(&signing, &example, "host;x-amz-content-sha256;x-amz-date",
                     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void the_presigned_url_has_its_published_query(void)
{
    static const struct s3_field headers[] = {{"host", S3_HOST}};
    struct s3_signing signing = s3_request("GET", "/test.txt", headers, 1);
    signing.payload = S3_UNSIGNED_PAYLOAD;
    struct bytes query = {0};
    CU_ASSERT(s3_sign_query(&signing, &example, 86400, &query, NULL));
    CU_ASSERT_STRING_EQUAL(
        bytes_text(&query),
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1"
        "%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    bytes_clear(&query);
}

static void a_session_token_is_part_of_a_presigned_query(void)
{
    static const struct s3_field headers[] = {{"host", S3_HOST}};
    struct s3_credentials temporary = {"AKIAIOSFODNN7EXAMPLE", "secret", "to/ken+="};
    struct s3_signing signing = s3_request("GET", "/test.txt", headers, 1);
    signing.payload = S3_UNSIGNED_PAYLOAD;
    struct bytes query = {0};
    CU_ASSERT(s3_sign_query(&signing, &temporary, 60, &query, NULL));
    CU_ASSERT_PTR_NOT_NULL(strstr(bytes_text(&query), "&X-Amz-Security-Token=to%2Fken%2B%3D&"));
    bytes_clear(&query);
}

static void parameters_that_need_encoding_are_sorted_as_they_are_sent(void)
{
    static const struct s3_field query[] = {
        {"b", "1"}, {"a b", "x/y"}, {"a", "\xc3\xbc~"}, {"a", "2"}, {"aZ", ""}};
    struct bytes text = {0};
    CU_ASSERT(s3_sign_canonical_query(query, 5, &text, NULL));
    CU_ASSERT_STRING_EQUAL(bytes_text(&text), "a=%C3%BC~&a=2&a%20b=x%2Fy&aZ=&b=1");
    bytes_clear(&text);
}

static void too_many_fields_are_refused(void)
{
    struct s3_field fields[S3_SIGN_FIELD_LIMIT + 1];
    for (size_t i = 0; i < S3_SIGN_FIELD_LIMIT + 1; i++)
        fields[i] = (struct s3_field){"a", "b"};
    struct bytes text = {0};
    struct error error;
    CU_ASSERT_FALSE(s3_sign_canonical_query(fields, S3_SIGN_FIELD_LIMIT + 1, &text, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_LIMIT);
    struct s3_signing signing = suite_request("GET", NULL, 0);
    signing.headers = fields;
    signing.header_count = S3_SIGN_FIELD_LIMIT + 1;
    CU_ASSERT_FALSE(s3_sign_header(&signing, &suite, &text, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_LIMIT);
    bytes_clear(&text);
}

UNIT_MAIN(
    "SigV4",
    {"the suite's get-vanilla has its published header", the_suite_get_vanilla_has_its_published_header},
    {"the suite's post-vanilla has its published signature",
     the_suite_post_vanilla_has_its_published_signature},
    {"parameters are signed in the order of their names", parameters_are_signed_in_the_order_of_their_names},
    {"headers of the suite are signed with their values", headers_of_the_suite_are_signed_with_their_values},
    {"spaces around and within values do not count", spaces_around_and_within_values_do_not_count},
    {"the old suite's get-utf8 has its published signature",
     the_old_suite_get_utf8_has_its_published_signature},
    {"S3's GET with a range has its published signature",
     s3_get_object_with_a_range_has_its_published_signature},
    {"S3's PUT has its published signature", s3_put_object_has_its_published_signature},
    {"S3's queries have their published signatures", s3_queries_have_their_published_signatures},
    {"the presigned URL has its published query", the_presigned_url_has_its_published_query},
    {"a session token is part of a presigned query", a_session_token_is_part_of_a_presigned_query},
    {"parameters are sorted as they are sent", parameters_that_need_encoding_are_sorted_as_they_are_sent},
    {"too many fields are refused", too_many_fields_are_refused})
