#include "api/conditional.h"

#include "api/http_date.h"

#include <string.h>
#include <strings.h>

/* ---- entity tags ---- */

struct tag {
    const char *text; /* from the opening quote on */
    size_t size;      /* with both quotes */
    bool weak;
};

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* Reads the next tag of a list and moves `*at` behind it; false at the end or where the list is not
 * well-formed. */
static bool next_tag(const char **at, struct tag *tag)
{
    const char *text = *at;
    while (is_blank(*text) || *text == ',')
        text++;
    tag->weak = strncmp(text, "W/", 2) == 0;
    if (tag->weak)
        text += 2;
    if (*text != '"')
        return false;
    const char *end = strchr(text + 1, '"');
    if (end == NULL)
        return false;
    tag->text = text;
    tag->size = (size_t)(end - text) + 1;
    *at = end + 1;
    return true;
}

static bool same_tag(const struct tag *tag, const char *etag, bool strong)
{
    bool weak = strncmp(etag, "W/", 2) == 0;
    if (strong && (tag->weak || weak))
        return false;
    const char *text = weak ? etag + 2 : etag;
    return strlen(text) == tag->size && memcmp(text, tag->text, tag->size) == 0;
}

/* Whether `list` is "*" or has the tag; `strong` as section 8.8.3.2 compares. */
static bool list_has(const char *list, const char *etag, bool strong)
{
    while (is_blank(*list))
        list++;
    if (strcmp(list, "*") == 0)
        return true;
    struct tag tag;
    while (next_tag(&list, &tag)) {
        if (same_tag(&tag, etag, strong))
            return true;
    }
    return false;
}

/* ---- preconditions ---- */

enum condition conditional_check(const struct conditional_headers *headers,
                                 const struct representation *representation)
{
    int64_t date;
    if (headers->if_match != NULL) {
        if (!list_has(headers->if_match, representation->etag, true))
            return CONDITION_FAILED;
    } else if (headers->if_unmodified_since != NULL && representation->modified != 0 &&
               http_date_parse(headers->if_unmodified_since, &date)) {
        if (representation->modified > date)
            return CONDITION_FAILED;
    }
    if (headers->if_none_match != NULL) {
        if (list_has(headers->if_none_match, representation->etag, false))
            return CONDITION_NOT_MODIFIED;
    } else if (headers->if_modified_since != NULL && representation->modified != 0 &&
               http_date_parse(headers->if_modified_since, &date)) {
        if (representation->modified <= date)
            return CONDITION_NOT_MODIFIED;
    }
    return CONDITION_PROCEED;
}

/* ---- ranges ---- */

/* If-Range holds when its tag is the same (strongly), or its date is exactly Last-Modified (section 13.1.5).
 */
static bool if_range_holds(const char *value, const struct representation *representation)
{
    if (value == NULL)
        return true;
    while (is_blank(*value))
        value++;
    if (*value == '"' || strncmp(value, "W/", 2) == 0) {
        struct tag tag;
        return next_tag(&value, &tag) && same_tag(&tag, representation->etag, true);
    }
    int64_t date;
    return representation->modified != 0 && http_date_parse(value, &date) && date == representation->modified;
}

/* Reads decimal digits, as many as there are; a number beyond 64 bits becomes the largest. False when there
 * is none. */
static bool read_number(const char **at, uint64_t *number)
{
    const char *text = *at;
    *number = 0;
    while (*text >= '0' && *text <= '9') {
        uint64_t digit = (uint64_t)(*text++ - '0');
        *number = *number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *number * 10 + digit;
    }
    bool found = text != *at;
    *at = text;
    return found;
}

/* Reads "bytes=first-last", "bytes=first-" or "bytes=-count" (`*suffix`). False for anything else. */
static bool read_range(const char *text, bool *suffix, uint64_t *first, uint64_t *last)
{
    while (is_blank(*text))
        text++;
    if (strncasecmp(text, "bytes=", 6) != 0)
        return false;
    text += 6;
    while (is_blank(*text))
        text++;
    *suffix = !read_number(&text, first);
    if (*text++ != '-')
        return false;
    bool has_last = read_number(&text, last);
    if (*suffix && !has_last)
        return false;
    if (!has_last)
        *last = UINT64_MAX;
    while (is_blank(*text))
        text++;
    return *text == '\0' && (*suffix || *first <= *last);
}

enum range_kind conditional_range(const struct conditional_headers *headers,
                                  const struct representation *representation, uint64_t *first,
                                  uint64_t *size)
{
    uint64_t from, to, total = representation->size;
    bool suffix;
    *first = 0;
    *size = total;
    if (headers->range == NULL || !if_range_holds(headers->if_range, representation) ||
        !read_range(headers->range, &suffix, &from, &to))
        return RANGE_WHOLE;
    if (suffix) {
        if (to == 0)
            return RANGE_OUTSIDE;
        if (total == 0)
            return RANGE_WHOLE; /* the last bytes of nothing: there is no way to say that in Content-Range */
        from = to < total ? total - to : 0;
        to = total - 1;
    }
    if (from >= total)
        return RANGE_OUTSIDE;
    if (to >= total)
        to = total - 1;
    *first = from;
    *size = to - from + 1;
    return RANGE_PART;
}
