#include "s3/failure.h"
#include "tests/unit/unit.h"

#include <curl/curl.h>

static void expect(int status, const char *code, enum error_code error, enum s3_remedy remedy)
{
    struct s3_failure failure = s3_failure_of_answer(status, code);
    CU_ASSERT_EQUAL(failure.code, error);
    CU_ASSERT_EQUAL(failure.remedy, remedy);
}

static void what_passes_by_itself_is_tried_again(void)
{
    static const int statuses[] = {408, 429, 500, 502, 503, 504};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        expect(statuses[i], "", ERROR_UNAVAILABLE, S3_TRY_AGAIN);
    expect(503, "SlowDown", ERROR_UNAVAILABLE, S3_TRY_AGAIN);
    expect(400, "RequestTimeout", ERROR_UNAVAILABLE, S3_TRY_AGAIN);
    expect(500, "InternalError", ERROR_UNAVAILABLE, S3_TRY_AGAIN);
}

static void no_other_4xx_is_tried_again(void)
{
    expect(404, "NoSuchKey", ERROR_NOT_FOUND, S3_GIVE_UP);
    expect(404, "", ERROR_NOT_FOUND, S3_GIVE_UP);
    expect(403, "AccessDenied", ERROR_DENIED, S3_GIVE_UP);
    expect(403, "SignatureDoesNotMatch", ERROR_DENIED, S3_GIVE_UP);
    expect(401, "", ERROR_DENIED, S3_GIVE_UP);
    expect(412, "PreconditionFailed", ERROR_CHANGED, S3_GIVE_UP);
    expect(409, "BucketNotEmpty", ERROR_INVALID, S3_GIVE_UP);
    expect(400, "InvalidArgument", ERROR_INVALID, S3_GIVE_UP);
    expect(400, "ExpiredToken", ERROR_DENIED, S3_GIVE_UP);
    expect(501, "NotImplemented", ERROR_PROTOCOL, S3_GIVE_UP);
    expect(600, "", ERROR_PROTOCOL, S3_GIVE_UP);
}

static void clocks_and_regions_are_corrected(void)
{
    expect(403, "RequestTimeTooSkewed", ERROR_DENIED, S3_FIX_CLOCK);
    expect(403, "", ERROR_DENIED, S3_FIX_CLOCK);
    expect(301, "PermanentRedirect", ERROR_INVALID, S3_FIX_REGION);
    expect(301, "", ERROR_INVALID, S3_FIX_REGION);
    expect(400, "AuthorizationHeaderMalformed", ERROR_DENIED, S3_FIX_REGION);
    expect(400, "", ERROR_INVALID, S3_FIX_REGION);
}

static void broken_transfers_are_tried_again_but_not_untrusted_ones(void)
{
    CU_ASSERT_EQUAL(s3_failure_of_transfer(CURLE_COULDNT_CONNECT).remedy, S3_TRY_AGAIN);
    CU_ASSERT_EQUAL(s3_failure_of_transfer(CURLE_PARTIAL_FILE).remedy, S3_TRY_AGAIN);
    CU_ASSERT_EQUAL(s3_failure_of_transfer(CURLE_GOT_NOTHING).remedy, S3_TRY_AGAIN);
    CU_ASSERT_EQUAL(s3_failure_of_transfer(CURLE_RECV_ERROR).remedy, S3_TRY_AGAIN);
    CU_ASSERT_EQUAL(s3_failure_of_transfer(CURLE_OPERATION_TIMEDOUT).code, ERROR_TIMEOUT);
    CU_ASSERT_EQUAL(s3_failure_of_transfer(CURLE_PEER_FAILED_VERIFICATION).remedy, S3_GIVE_UP);
    CU_ASSERT_EQUAL(s3_failure_of_transfer(CURLE_PEER_FAILED_VERIFICATION).code, ERROR_DENIED);
}

static void waits_double_at_random_up_to_five_seconds(void)
{
    CU_ASSERT_DOUBLE_EQUAL(s3_failure_wait(1, 0), 0.05, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(s3_failure_wait(1, 1), 0.1, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(s3_failure_wait(2, 1), 0.2, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(s3_failure_wait(4, 0.5), 0.6, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(s3_failure_wait(20, 1), 5, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(s3_failure_wait(4000000000u, 0), 2.5, 1e-9);
}

UNIT_MAIN("failures", {"what passes by itself is tried again", what_passes_by_itself_is_tried_again},
          {"no other 4xx is tried again", no_other_4xx_is_tried_again},
          {"clocks and regions are corrected", clocks_and_regions_are_corrected},
          {"broken transfers are tried again, untrusted ones are not",
           broken_transfers_are_tried_again_but_not_untrusted_ones},
          {"waits double at random up to five seconds", waits_double_at_random_up_to_five_seconds})
