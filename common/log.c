#include "common/log.h"

#include "common/clock.h"

#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

static enum log_level threshold = LOG_INFO;
static bool as_json = false;
static int output = STDERR_FILENO;

static const char *const level_names[] = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};

void log_set_level(enum log_level level)
{
    threshold = level;
}

enum log_level log_get_level(void)
{
    return threshold;
}

void log_set_json(bool json)
{
    as_json = json;
}

bool log_parse_level(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcasecmp(name, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    if (strcasecmp(name, "FATAL") != 0)
        return false;
    *level = LOG_CRITICAL;
    return true;
}

bool log_open(const char *path, struct error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_set_errno(error, "cannot open the log file %s", path);
    if (output != STDERR_FILENO)
        close(output);
    output = fd;
    return true;
}

/* The number of bytes of the UTF-8 sequence at `text`, 0 when it is none (RFC 3629). */
static size_t utf8_length(const unsigned char *text)
{
    if (text[0] < 0x80)
        return 1;
    size_t length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc2 || text[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return length;
}

/* Escapes as JSON strings do, so that one function serves both forms. */
static size_t escape(const char *from, char *to, size_t room)
{
    size_t used = 0;
    const unsigned char *text = (const unsigned char *)from;
    while (*text != '\0' && used + 7 < room) {
        size_t length = utf8_length(text);
        if (length == 0 || *text < 0x20 || *text == 0x7f) {
            used += (size_t)snprintf(to + used, room - used, "\\u%04x", *text);
            text++;
        } else if (*text == '"' || *text == '\\') {
            to[used++] = '\\';
            to[used++] = (char)*text++;
        } else {
            memcpy(to + used, text, length);
            used += length;
            text += length;
        }
    }
    to[used] = '\0';
    return used;
}

void log_write(enum log_level level, const char *task, const char *format, ...)
{
    if (level < threshold)
        return;
    char message[4096], safe[6 * 1024], line[8 * 1024], when[32], id[160] = "";
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    escape(message, safe, sizeof safe);
    if (task != NULL)
        escape(task, id, sizeof id);

    double now = clock_wall();
    time_t seconds = (time_t)now;
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t length = strftime(when, sizeof when, "%FT%T", &parts);
    (void)snprintf(when + length, sizeof when - length, ".%03dZ", (int)((now - floor(now)) * 1000));

    int size;
    if (as_json)
        size = snprintf(line, sizeof line, "{\"time\":\"%s\",\"level\":\"%s\",\"pid\":%d%s%s%s,\"msg\":\"%s\"}\n", when,
                        level_names[level], (int)getpid(), task ? ",\"task\":\"" : "", id, task ? "\"" : "", safe);
    else
        size = snprintf(line, sizeof line, "%s %s pid=%d%s%s msg=\"%s\"\n", when, level_names[level], (int)getpid(),
                        task ? " task=" : "", id, safe);
    if (size > 0 && write(output, line, (size_t)size) < 0) {
        /* A log that cannot be written must not end the work; there is nowhere to say so. */
    }
}
