/* Dates of HTTP headers (RFC 9110, section 5.6.7). Pure; thread-safe; the locale has no say. */
#ifndef API_HTTP_DATE_H
#define API_HTTP_DATE_H

#include <stdbool.h>
#include <stdint.h>

#define HTTP_DATE_SIZE 30

/* Writes seconds since 1970 as "Sun, 06 Nov 1994 08:49:37 GMT". Years 1970 to 9999; others are clamped. */
void http_date_format(int64_t seconds, char buffer[HTTP_DATE_SIZE]);

/* Reads any of the three forms that recipients must accept. False when it is none of them. */
bool http_date_parse(const char *text, int64_t *seconds);

#endif
