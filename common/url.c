#include "common/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Percent-decodes `size` bytes; false when a '%' has no two hex digits, a NUL comes out, or the room is short. */
static bool decode(const char *text, size_t size, char *buffer, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        int byte = (unsigned char)text[i];
        if (byte == '%') {
            int high = i + 1 < size ? hex(text[i + 1]) : -1, low = i + 2 < size ? hex(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            byte = high * 16 + low;
            i += 2;
        }
        if (byte == 0 || used + 1 >= room)
            return false;
        buffer[used++] = (char)byte;
    }
    buffer[used] = '\0';
    return true;
}

static bool parse_port(const char *text, size_t size, int *port)
{
    if (size == 0 || size > 5)
        return false;
    *port = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *port = *port * 10 + (text[i] - '0');
    }
    return *port >= 1 && *port <= 65535;
}

static bool parse_host(const char *text, size_t size, struct url *url, struct error *error)
{
    const char *end = text + size, *colon;
    if (size > 0 && text[0] == '[') {
        const char *bracket = memchr(text, ']', size);
        if (bracket == NULL)
            return error_set(error, ERROR_INVALID, "URL with a '[' that is not closed");
        if (!decode(text + 1, (size_t)(bracket - text - 1), url->host, sizeof url->host))
            return error_set(error, ERROR_INVALID, "URL with a bad host");
        colon = bracket + 1;
        if (colon != end && *colon != ':')
            return error_set(error, ERROR_INVALID, "URL with text behind ']'");
    } else {
        colon = memchr(text, ':', size);
        if (colon == NULL)
            colon = end;
        if (!decode(text, (size_t)(colon - text), url->host, sizeof url->host))
            return error_set(error, ERROR_INVALID, "URL with a bad or too long host");
    }
    if (colon != end && !parse_port(colon + 1, (size_t)(end - colon - 1), &url->port))
        return error_set(error, ERROR_INVALID, "URL with a port that is not 1 to 65535 (host %s)", url->host);
    return true;
}

bool url_parse(const char *text, struct url *url, struct error *error)
{
    *url = (struct url){0};
    if (strlen(text) > 1024)
        return error_set(error, ERROR_LIMIT, "URL of more than 1024 bytes");
    const char *mark = strstr(text, "://");
    if (mark == NULL || mark == text || (size_t)(mark - text) >= sizeof url->scheme)
        return error_set(error, ERROR_INVALID, "not a URL: it should look like scheme://user:password@host:port/path");
    memcpy(url->scheme, text, (size_t)(mark - text));

    const char *authority = mark + 3;
    size_t length = strcspn(authority, "/?#");
    const char *path = authority + length, *at = NULL;
    for (size_t i = 0; i < length; i++) {
        if (authority[i] == '@')
            at = authority + i;
    }
    if (at != NULL) {
        size_t size = (size_t)(at - authority);
        const char *colon = memchr(authority, ':', size);
        size_t user = colon ? (size_t)(colon - authority) : size;
        if (!decode(authority, user, url->user, sizeof url->user) ||
            (colon && !decode(colon + 1, size - user - 1, url->password, sizeof url->password)))
            return error_set(error, ERROR_INVALID, "URL with a bad user or password");
        length -= size + 1;
        authority = at + 1;
    }
    if (!parse_host(authority, length, url, error))
        return false;
    if (*path == '/') {
        url->has_path = true;
        path++;
        size_t size = strcspn(path, "?#");
        if (!decode(path, size, url->path, sizeof url->path))
            return error_set(error, ERROR_INVALID, "URL with a bad or too long path");
        path += size;
    }
    if (*path == '?') {
        size_t size = strcspn(path + 1, "#");
        if (size >= sizeof url->query)
            return error_set(error, ERROR_LIMIT, "URL with a query of more than %zu bytes", sizeof url->query - 1);
        memcpy(url->query, path + 1, size);
    }
    return true;
}

void url_redact(const struct url *url, char *buffer, size_t size)
{
    char port[8] = "";
    if (url->port != 0)
        (void)snprintf(port, sizeof port, ":%d", url->port);
    bool ipv6 = strchr(url->host, ':') != NULL;
    (void)snprintf(buffer, size, "%s://%s%s%s%s%s%s%s/%s", url->scheme, url->user, url->password[0] ? ":**" : "",
                   url->user[0] || url->password[0] ? "@" : "", ipv6 ? "[" : "", url->host, ipv6 ? "]" : "", port,
                   url->path);
}

bool url_query(const struct url *url, const char *name, char *buffer, size_t size)
{
    size_t length = strlen(name);
    for (const char *pair = url->query; *pair != '\0';) {
        size_t end = strcspn(pair, "&");
        if (end > length && strncmp(pair, name, length) == 0 && pair[length] == '=')
            return decode(pair + length + 1, end - length - 1, buffer, size);
        pair += end;
        if (*pair == '&')
            pair++;
    }
    return false;
}
