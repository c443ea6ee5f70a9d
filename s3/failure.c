#include "s3/failure.h"

#include <curl/curl.h>
#include <stddef.h>
#include <string.h>

#define FIRST_WAIT 0.1
#define LONGEST_WAIT 5.0

/* What S3's own code says, where it says more than the status does. */
static const struct {
    const char *name;
    struct s3_failure failure;
} codes[] = {
    {"RequestTimeout", {ERROR_UNAVAILABLE, S3_TRY_AGAIN}},
    {"RequestTimeTooSkewed", {ERROR_DENIED, S3_FIX_CLOCK}},
    {"SlowDown", {ERROR_UNAVAILABLE, S3_TRY_AGAIN}},
    {"Throttling", {ERROR_UNAVAILABLE, S3_TRY_AGAIN}},
    {"ThrottlingException", {ERROR_UNAVAILABLE, S3_TRY_AGAIN}},
    {"RequestLimitExceeded", {ERROR_UNAVAILABLE, S3_TRY_AGAIN}},
    {"InternalError", {ERROR_UNAVAILABLE, S3_TRY_AGAIN}},
    {"ServiceUnavailable", {ERROR_UNAVAILABLE, S3_TRY_AGAIN}},
    {"AuthorizationHeaderMalformed", {ERROR_DENIED, S3_FIX_REGION}},
    {"PermanentRedirect", {ERROR_INVALID, S3_FIX_REGION}},
    {"TemporaryRedirect", {ERROR_INVALID, S3_FIX_REGION}},
    {"IllegalLocationConstraintException", {ERROR_INVALID, S3_FIX_REGION}},
    {"ExpiredToken", {ERROR_DENIED, S3_GIVE_UP}},
    {"InvalidToken", {ERROR_DENIED, S3_GIVE_UP}},
    {"XAdminUserNotFound", {ERROR_DENIED, S3_GIVE_UP}}, /* versitygw: no such access key */
    {"NotImplemented", {ERROR_PROTOCOL, S3_GIVE_UP}},
};

struct s3_failure s3_failure_of_answer(int status, const char *code)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(codes[i].name, code) == 0)
            return codes[i].failure;
    }
    switch (status) {
    case 301:
    case 307:
    case 308:
        return (struct s3_failure){ERROR_INVALID, S3_FIX_REGION};
    case 400:
        /* A HEAD has no body to name its reason; a wrong region is the one that can be repaired. */
        return (struct s3_failure){ERROR_INVALID, code[0] == '\0' ? S3_FIX_REGION : S3_GIVE_UP};
    case 401:
        return (struct s3_failure){ERROR_DENIED, S3_GIVE_UP};
    case 403:
        return (struct s3_failure){ERROR_DENIED, code[0] == '\0' ? S3_FIX_CLOCK : S3_GIVE_UP};
    case 404:
        return (struct s3_failure){ERROR_NOT_FOUND, S3_GIVE_UP};
    case 412:
        return (struct s3_failure){ERROR_CHANGED, S3_GIVE_UP};
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        return (struct s3_failure){ERROR_UNAVAILABLE, S3_TRY_AGAIN};
    default:
        break;
    }
    if (status >= 400 && status < 500)
        return (struct s3_failure){ERROR_INVALID, S3_GIVE_UP};
    return (struct s3_failure){ERROR_PROTOCOL, S3_GIVE_UP};
}

struct s3_failure s3_failure_of_transfer(int result)
{
    switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
        return (struct s3_failure){ERROR_TIMEOUT, S3_TRY_AGAIN};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return (struct s3_failure){ERROR_DENIED, S3_GIVE_UP};
    case CURLE_OUT_OF_MEMORY:
        return (struct s3_failure){ERROR_MEMORY, S3_GIVE_UP};
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_FUNCTION_ARGUMENT:
        return (struct s3_failure){ERROR_INVALID, S3_GIVE_UP};
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return (struct s3_failure){ERROR_PROTOCOL, S3_GIVE_UP};
    default:
        return (struct s3_failure){ERROR_UNAVAILABLE, S3_TRY_AGAIN};
    }
}

double s3_failure_wait(unsigned attempt, double random)
{
    double wait = FIRST_WAIT;
    for (unsigned i = 1; i < attempt && wait < LONGEST_WAIT; i++)
        wait *= 2;
    if (wait > LONGEST_WAIT)
        wait = LONGEST_WAIT;
    return wait * (0.5 + 0.5 * random);
}
