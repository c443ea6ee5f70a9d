/* An object of S3 as the answer to GET or HEAD: conditional requests, ranges, a body that streams in bounded
 * memory. */
#ifndef API_SEND_OBJECT_H
#define API_SEND_OBJECT_H

#include "api/call.h"

/* Answers the call with the object: 200, 206, 304, 412, 416 (RFC 9110), 410 where it does not exist, 503
 * where S3 is away before the first byte. `name` is what a browser saves it as; visible ASCII without quotes.
 *
 * One version of the object is sent or none: a stream that breaks, or an object that changes meanwhile, cuts
 * the connection before Content-Length is reached, so that no client takes a part for the whole. Memory:
 * settings.download_window and a block of 64 KiB, given back when the body is sent or the client goes away.
 */
void send_object(struct call *call, const char *bucket, const char *key, const char *name);

#endif
