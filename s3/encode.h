/* Percent-encoding as S3 and SigV4 define it: all bytes but A-Z a-z 0-9 - . _ ~ as %XX with capital digits.
 * Pure. Source: Amazon S3 API reference, "Authenticating Requests (AWS Signature Version 4)", UriEncode(). */
#ifndef S3_ENCODE_H
#define S3_ENCODE_H

#include "common/bytes.h"

/* Appends `text` encoded; `slash`: leave '/' as it is (paths), else encode it too (names and values of a
 * query). */
bool s3_encode(struct bytes *into, const char *text, bool slash, struct error *error);

/* Undoes it in place, where '+' is a space (what encoding-type=url of the list requests gives); bad escapes
 * stay. */
void s3_decode(char *text);

#endif
