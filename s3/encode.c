#include "s3/encode.h"

#include <string.h>

static bool is_plain(unsigned char byte, bool slash)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
           byte == '-' || byte == '.' || byte == '_' || byte == '~' || (slash && byte == '/');
}

bool s3_encode(struct bytes *into, const char *text, bool slash, struct error *error)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t length = strlen(text);
    if (length > BYTES_NO_LIMIT / 3)
        return error_set(error, ERROR_LIMIT, "a text of %zu bytes is too long for a URL", length);
    if (!bytes_reserve(into, 3 * length, error))
        return false;
    char *to = into->data + into->size;
    for (const char *from = text; *from != '\0'; from++) {
        unsigned char byte = (unsigned char)*from;
        if (is_plain(byte, slash)) {
            *to++ = *from;
            continue;
        }
        *to++ = '%';
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    into->size = (size_t)(to - into->data);
    return true;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

void s3_decode(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from == '+') {
            *to++ = ' ';
            continue;
        }
        if (*from == '%' && digit(from[1]) >= 0 && digit(from[2]) >= 0 &&
            digit(from[1]) * 16 + digit(from[2]) != 0) {
            *to++ = (char)(digit(from[1]) * 16 + digit(from[2]));
            from += 2;
            continue;
        }
        *to++ = *from;
    }
    *to = '\0';
}
