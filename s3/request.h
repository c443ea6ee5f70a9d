/* One request to S3: what to send, what came back, and the hooks of those who stream. Internal to s3/.
 *
 *     struct s3_request request;
 *     s3_request_init(&request, "GET", bucket, key);
 *     s3_request_query(&request, "list-type", "2");
 *     bool ok = s3_request_run(client, &request, error);   (or s3_loop_submit(), and `finished` tells)
 *     s3_request_clear(&request);
 *
 * From its submission until it is finished a request belongs to the loop (loop.h): it is signed anew for
 * every attempt, tried again as failure.h has it, and everything that it points at must stay. */
#ifndef S3_REQUEST_H
#define S3_REQUEST_H

#include "common/bytes.h"
#include "s3/failure.h"
#include "s3/object.h"
#include "s3/sign.h"
#include "s3/transfer.h"

#include <pthread.h>

#define S3_REQUEST_QUERY_LIMIT 8
#define S3_REQUEST_HEADER_LIMIT 8
#define S3_ANSWER_LIMIT ((size_t)64 << 10) /* bytes kept of an answer that is an error, or not streamed */

struct s3_response {
    int status;
    struct s3_version version; /* size: of the whole object, also when the answer is a range of it */
    char content_type[S3_TYPE_SIZE];
    bool has_range; /* Content-Range: bytes first-last/size */
    uint64_t first, last;
    bool has_length;
    uint64_t length;    /* Content-Length */
    int64_t date;       /* the server's clock; 0: not said */
    double retry_after; /* seconds; 0: not said */
    char region[64];    /* of the bucket, when said */
    char crc32c[16];    /* of what was sent, when the server took it */
    char checksums[16]; /* the algorithm that a multipart upload will have; "" when the server knows none */
    struct bytes body;
};

enum s3_request_state {
    S3_REQUEST_IDLE,
    S3_REQUEST_PENDING, /* waits for a connection */
    S3_REQUEST_RUNNING,
    S3_REQUEST_WAITING, /* for its next attempt */
};

struct s3_group;
struct s3_client;

struct s3_request {
    /* ---- what to send; borrowed ---- */
    const char *method;
    const char *bucket; /* NULL: the service */
    const char *key;    /* NULL: the bucket */
    struct s3_field query[S3_REQUEST_QUERY_LIMIT];
    size_t query_count;
    struct s3_field headers[S3_REQUEST_HEADER_LIMIT];
    size_t header_count;
    const void *body;
    size_t body_size;
    bool checksum; /* send the body's CRC-32C: the server compares it, so that the body need not be signed */

    /* ---- how ---- */
    double stall_timeout;   /* seconds; 0: the client's */
    double retry_time;      /* seconds; 0: the client's */
    bool past_cancel;       /* s3_request_run() does not ask the client's `cancelled` */
    size_t answer_limit;    /* most bytes of a body that is not streamed; more is ERROR_LIMIT */
    unsigned buffer_size;   /* bytes that curl receives at once; 0: curl's default */
    struct s3_group *group; /* NULL: the client's own */

    /* ---- hooks, all called in the loop's thread; each may be NULL ---- */
    void *context;
    /* Before every attempt: may change the headers. False with ERROR_NONE: nothing is left to do, it has
     * succeeded. */
    bool (*prepare)(struct s3_request *request, struct error *error);
    /* The headers of a 2xx are there. False: not what was wanted, give up with the error. */
    bool (*accept)(struct s3_request *request, struct error *error);
    /* Bytes of a 2xx's body. False: no room now; the same bytes come again after s3_loop_resume(). NULL: into
     * response.body. */
    bool (*receive)(struct s3_request *request, const char *data, size_t size);
    /* A whole answer is there and `failure` says what it means (code ERROR_NONE: success): may change it, and
     * fill error. */
    void (*judge)(struct s3_request *request, struct s3_failure *failure, struct error *error);
    /* It is over: the outcome stands. The loop does not touch the request after this call. */
    void (*finished)(struct s3_request *request);

    /* ---- outcome ---- */
    struct s3_response response;
    struct error error; /* code ERROR_NONE: success */

    /* ---- the loop's own ---- */
    enum s3_request_state state;
    struct s3_transfer transfer;
    struct s3_request *previous, *next; /* in a list of its state */
    struct s3_request *command_previous, *command_next;
    unsigned commands;
    bool active; /* submitted and not finished; under the loop's lock */
    bool unstarted;
    bool hashed;
    char hash[S3_HASH_SIZE]; /* of the body, once `hashed` */
    char crc[12];
    unsigned attempts;    /* failures in a row */
    double failing_since; /* monotonic; of the first of them */
    double due;           /* monotonic; of the next attempt */
    bool clock_fixed, region_fixed;
    pthread_cond_t done_changed; /* of s3_request_run(), under the loop's lock */
    bool done;
};

void s3_request_init(struct s3_request *request, const char *method, const char *bucket, const char *key);
void s3_request_clear(struct s3_request *request);

/* These borrow. Too many are ignored in silence: the limits above fit the most that any caller adds. A
 * header's name is in lower case; one that is there already is replaced. */
void s3_request_query(struct s3_request *request, const char *name, const char *value);
void s3_request_header(struct s3_request *request, const char *name, const char *value);
void s3_request_unset(struct s3_request *request, const char *name);

/* Checks bucket and key, sends it and blocks until it is over or the client's `cancelled` says so. */
bool s3_request_run(struct s3_client *client, struct s3_request *request, struct error *error);

/* ERROR_INVALID when S3 has no such names: also keeps line ends out of requests. `key` may be NULL. */
bool s3_names_check(const char *bucket, const char *key, struct error *error);

/* Progress was made: failures before it no longer count. For `receive`. */
void s3_request_progress(struct s3_request *request);

#endif
