#include "merge/window.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* How much of a line an error quotes. */
#define QUOTE_BYTES 48
#define QUOTE_SIZE (4 * QUOTE_BYTES + 8)

void window_init(struct window *window, struct merge_source *source, struct window_pool *pool,
                 struct merge_counters *counters)
{
    *window = (struct window){.source = source, .pool = pool, .counters = counters, .ahead = WINDOW_UNKNOWN};
}

static void release(struct window *window)
{
    if (window->data != NULL)
        window->pool->memory_used -= window->capacity;
    free(window->data);
    window->data = NULL;
    window->capacity = 0;
}

void window_clear(struct window *window)
{
    release(window);
    window->filled = window->run = window->line = window->length = 0;
    window->ahead = WINDOW_UNKNOWN;
}

/* Writes how a line starts, in quotes, with all but printable ASCII escaped. */
static void quote(const char *line, size_t length, char text[QUOTE_SIZE])
{
    size_t size = 0;
    text[size++] = '"';
    for (size_t i = 0; i < length && i < QUOTE_BYTES; i++) {
        unsigned char byte = (unsigned char)line[i];
        if (byte == '"' || byte == '\\')
            text[size++] = '\\';
        if (byte < 0x20 || byte >= 0x7f)
            size += (size_t)snprintf(text + size, 5, "\\x%02x", byte);
        else
            text[size++] = (char)byte;
    }
    text[size++] = '"';
    memcpy(text + size, length > QUOTE_BYTES ? "..." : "", length > QUOTE_BYTES ? 4 : 1);
}

/* Says that the line at `line`, the one behind the head, is smaller than the head. */
static bool fail_unsorted(const struct window *window, size_t line, size_t length, struct error *error)
{
    char before[QUOTE_SIZE], here[QUOTE_SIZE];
    quote(window->data + window->line, window->length, before);
    quote(window->data + line, length, here);
    return error_set(error, ERROR_UNSORTED, "%s is not sorted: line %llu, %s, comes after %s",
                     window->source->name, (unsigned long long)window->number + 1, here, before);
}

static bool fail_long(const struct window *window, size_t line, struct error *error)
{
    return error_set(error, ERROR_LIMIT, "%s: line %llu, at byte %llu, is longer than the limit of %zu bytes",
                     window->source->name, (unsigned long long)window->number + 1,
                     (unsigned long long)(window->offset + line), window->pool->line_limit);
}

static bool resize(struct window *window, size_t capacity, struct error *error)
{
    struct window_pool *pool = window->pool;
    size_t others = pool->memory_used - window->capacity;
    if (capacity > window->capacity && capacity > pool->window_size && others + capacity > pool->memory_limit)
        return error_set(
            error, ERROR_LIMIT,
            "%s: line %llu does not fit: long lines of all inputs need more than %zu bytes of memory",
            window->source->name, (unsigned long long)window->number + 1, pool->memory_limit);
    char *data = realloc(window->data, capacity + CODE_SLACK);
    if (data == NULL)
        return error_set(error, ERROR_MEMORY, "%s: out of memory for a window of %zu bytes",
                         window->source->name, capacity);
    memset(data + capacity, 0, CODE_SLACK);
    window->data = data;
    window->capacity = capacity;
    pool->memory_used = others + capacity;
    return true;
}

/* Drops all before the head and makes free space of a quarter of the window at least; grows when the head and
 * what follows it take more than that, shrinks again when a grown window is nearly empty. */
static bool make_room(struct window *window, struct error *error)
{
    struct window_pool *pool = window->pool;
    if (window->data == NULL)
        return resize(window, pool->window_size, error);
    if (window->capacity - window->filled >= window->capacity / 2)
        return true;
    if (window->line > 0) {
        memmove(window->data, window->data + window->line, window->filled - window->line);
        window->filled -= window->line;
        window->offset += window->line;
        window->line = 0;
    }
    if (window->capacity - window->filled < window->capacity / 4)
        return resize(window, 2 * window->capacity, error);
    if (window->capacity > pool->window_size && window->filled < pool->window_size / 2)
        return resize(window, pool->window_size, error);
    return true;
}

/* One read. At the end of the input the last line gets its '\n' when it has none; the slack has a place for
 * it. */
static bool read_more(struct window *window, size_t next, struct error *error)
{
    size_t got = 0;
    size_t room = window->capacity - window->filled;
    struct merge_source *source = window->source;
    if (!source->read(source, window->data + window->filled, room, &got, error))
        return false;
    window->filled += got;
    if (window->counters != NULL)
        window->counters->bytes_read += got;
    if (got > 0)
        return true;
    window->ended = true;
    if (window->counters != NULL)
        window->counters->sources_done++;
    if (window->filled > next)
        window->data[window->filled++] = '\n';
    return true;
}

/* Reads until there is a whole line behind the head, or the input ends. */
static bool fill(struct window *window, bool *more, struct error *error)
{
    size_t head = window->number == 0 ? 0 : window->length + 1;
    while (!window->ended) {
        if (!make_room(window, error))
            return false;
        size_t next = window->line + head;
        size_t searched = window->filled; /* up to here there is no '\n' behind the head */
        window->run = next;
        if (!read_more(window, next, error))
            return false;
        if (memchr(window->data + searched, '\n', window->filled - searched) != NULL)
            break;
        if (window->filled - next > window->pool->line_limit)
            return fail_long(window, next, error);
    }
    *more = window->filled > window->line + head;
    return true;
}

bool window_next(struct window *window, uint64_t *code, struct error *error)
{
    size_t head = window->number == 0 ? 0 : window->length + 1;
    size_t next = window->line + head;
    bool more = next < window->filled && memchr(window->data + next, '\n', window->filled - next) != NULL;
    if (!more && !fill(window, &more, error))
        return false;
    if (!more) {
        window_clear(window);
        *code = CODE_END;
        return true;
    }
    const char *data = window->data;
    next = window->line + head;
    size_t length = (size_t)((const char *)memchr(data + next, '\n', window->filled - next) - (data + next));
    if (length > window->pool->line_limit)
        return fail_long(window, next, error);
    if (!code_against(data + window->line, window->length, data + next, length, code))
        return fail_unsorted(window, next, length, error);
    window->line = next;
    window->length = length;
    window->number++;
    window_look_ahead(window);
    return true;
}
