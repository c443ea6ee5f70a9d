/* S3's XML, read with expat: each element that has no children is reported by its path, with its text.
 *
 *     <ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>
 *
 * reports text "ListBucketResult/Contents/Key" = "a", and the end of "ListBucketResult/Contents". Namespaces'
 * prefixes and attributes are ignored. Pure; the input is hostile: at most 32 MiB, 16 levels, 64 KiB of text
 * in an element, no document type (so no entities but XML's five). */
#ifndef S3_XML_H
#define S3_XML_H

#include "common/error.h"

#include <stddef.h>

struct s3_xml_visitor {
    /* Both may be NULL, and return false (with the error) to stop. `path` and `text` are borrowed for the
     * call; `text` may be changed in place. */
    bool (*text)(void *context, const char *path, char *text, struct error *error);
    bool (*end)(void *context, const char *path, struct error *error);
    void *context;
};

/* ERROR_PROTOCOL when it is no XML, ERROR_LIMIT when it is too large. */
bool s3_xml_read(const char *data, size_t size, const struct s3_xml_visitor *visitor, struct error *error);

/* The text of the first element with this path, into `value` (cut to fit); false when there is none or it is
 * no XML. */
bool s3_xml_find(const char *data, size_t size, const char *path, char *value, size_t value_size);

#endif
