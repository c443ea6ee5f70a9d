/* The end of one attempt at a request: done, again after a wait, or failed, with the sentence to say so.
 * Internal to s3/; called in the loop's thread. */
#ifndef S3_OUTCOME_H
#define S3_OUTCOME_H

#include "common/error.h"

#include <curl/curl.h>

struct s3_client;
struct s3_request;

enum s3_outcome_action { S3_OUTCOME_DONE, S3_OUTCOME_AGAIN, S3_OUTCOME_FAILED };

struct s3_outcome {
    enum s3_outcome_action action;
    double wait; /* seconds, of S3_OUTCOME_AGAIN */
    struct error error;
};

/* Also counts the failure, and takes over the server's clock or the bucket's region where that is the remedy.
 */
void s3_outcome_read(struct s3_client *client, struct s3_request *request, CURLcode result,
                     struct s3_outcome *outcome);

/* Fills the error with what the answer's body says ("SlowDown: Please reduce your request rate.") behind
 * "status: "; returns S3's code in `code`, "" when there is none. Keeps secrets out. */
void s3_outcome_quote(struct s3_client *client, const struct s3_request *request, char code[64], char *text,
                      size_t text_size);

#endif
