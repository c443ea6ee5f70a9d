/* Streaming reads: an object, or a range of it, as a sequence of bytes in bounded memory, fetched ahead of
 * its reader.
 *
 * A reader has a window. The client's thread fills it while the caller works; a full window holds the
 * transfer back (TCP's flow control), and a transfer that breaks is taken up again at the byte where it broke
 * off. So a read blocks only when the network is the slower side.
 *
 * Readers that work together (the inputs of a merge) share a set, which divides a budget of memory among them
 * and limits the transfers in flight. As long as each may have a connection of its own, an object is one GET;
 * with more readers than connections each asks for windowfuls by ranged GETs and gives the connection back in
 * between, those first whose callers wait.
 *
 * Memory of a set: at most `budget` for the windows, and about 40 KiB for every transfer in flight (curl's;
 * more with TLS).
 *
 * One version only: with `version` from LIST or HEAD, every request asks If-Match when there is an ETag, and
 * every answer's ETag, length and Last-Modified are compared; another object than at the beginning is
 * ERROR_CHANGED, never a mixture. Without `version`, the first answer decides which one it is.
 *
 * A reader is used by one thread at a time; readers of one set may be used by different threads. */
#ifndef S3_READ_H
#define S3_READ_H

#include "s3/object.h"

#include <sys/types.h>

struct s3_reader;
struct s3_reader_set;

/* ---- sets ---- */
struct s3_reader_set_settings {
    size_t budget;        /* bytes of all windows together; default 16 MiB */
    unsigned readers;     /* how many will be open at once, at most; the windows are cut by it; default 1 */
    unsigned connections; /* most transfers in flight of this set; default and bound: the client's */
};

/* The window of each reader is budget / readers, at most 1 MiB, and at least 16 KiB, or 8 KiB where there are
 * more readers than connections. NULL: ERROR_MEMORY. */
struct s3_reader_set *s3_reader_set_new(struct s3_client *client,
                                        const struct s3_reader_set_settings *settings, struct error *error);
/* All of its readers must be closed. NULL is allowed. */
void s3_reader_set_free(struct s3_reader_set *set);

/* ---- readers ---- */
struct s3_reader_options {
    const struct s3_version *version; /* what it must be (copied); NULL: what the first answer says */
    uint64_t offset;                  /* first byte; default 0 */
    uint64_t size;                    /* bytes; 0: to the end */
    bool lazy;                        /* start fetching at the first read instead of now */
};

/* Opens a reader of the set and starts to fetch; returns at once: what S3 says about the object comes with
 * the first read. NULL only with ERROR_INVALID, ERROR_MEMORY. `options` may be NULL. */
struct s3_reader *s3_reader_open(struct s3_reader_set *set, const char *bucket, const char *key,
                                 const struct s3_reader_options *options, struct error *error);

/* Up to `size` bytes; blocks until there is one at least. Returns how many; 0: the end (of the range); -1: an
 * error, and the reader stays failed. */
ssize_t s3_reader_read(struct s3_reader *reader, void *buffer, size_t size, struct error *error);

/* The bytes themselves, without a copy: blocks like s3_reader_read() and lends what lies together in the
 * window, valid until the next call with this reader. 0: the end; -1: an error. s3_reader_consume() gives
 * back the first `size` of them. (The window is a ring: a line may lie across its end; that is for the caller
 * to put together.) */
ssize_t s3_reader_borrow(struct s3_reader *reader, const char **data, struct error *error);
void s3_reader_consume(struct s3_reader *reader, size_t size);

/* What the server said about the object. False (with the error) when it could not be had; blocks until it is
 * known. */
bool s3_reader_head(struct s3_reader *reader, struct s3_head *head, struct error *error);

/* Bytes handed out so far (read or consumed); the offset in the object is this plus options.offset. */
uint64_t s3_reader_position(const struct s3_reader *reader);

/* Ends it, with its transfer if one runs. NULL is allowed. */
void s3_reader_close(struct s3_reader *reader);

#endif
