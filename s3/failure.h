/* What a failed attempt means: which error it is, and whether to try again. Pure.
 * Source: "Error responses" of the S3 API reference; curl's libcurl-errors(3). */
#ifndef S3_FAILURE_H
#define S3_FAILURE_H

#include "common/error.h"

enum s3_remedy {
    S3_GIVE_UP,
    S3_TRY_AGAIN,  /* after a wait */
    S3_FIX_CLOCK,  /* take over the server's clock, then at once, once */
    S3_FIX_REGION, /* take over the region that the server names, then at once, once */
};

struct s3_failure {
    enum error_code code;
    enum s3_remedy remedy;
};

/* Of an answer with `status` (not 2xx) and S3's `code` ("SlowDown"; "" when there was none, as with HEAD). */
struct s3_failure s3_failure_of_answer(int status, const char *code);

/* Of a transfer that ended with curl's `result` (a CURLcode, not CURLE_OK and not CURLE_WRITE_ERROR). */
struct s3_failure s3_failure_of_transfer(int result);

/* Seconds to wait before attempt `attempt` (from 1): between half and all of 0.1 * 2^(attempt - 1), at
 * most 5. `random` is in 0..1. */
double s3_failure_wait(unsigned attempt, double random);

#endif
