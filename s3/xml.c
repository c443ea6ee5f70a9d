#include "s3/xml.h"

#include "common/bytes.h"

#include <expat.h>
#include <stdio.h>
#include <string.h>

#define SIZE_LIMIT ((size_t)32 << 20)
#define TEXT_LIMIT ((size_t)64 << 10)
#define DEPTH_LIMIT 16
#define PATH_LIMIT 512

struct reading {
    XML_Parser parser;
    const struct s3_xml_visitor *visitor;
    struct error first; /* why the reading stopped */
    char path[PATH_LIMIT];
    size_t lengths[DEPTH_LIMIT]; /* of the path before each open element */
    int depth;
    struct bytes text; /* of the innermost element, when it has no children */
    bool leaf;
    bool failed;
};

static void stop(struct reading *reading)
{
    reading->failed = true;
    (void)XML_StopParser(reading->parser, XML_FALSE);
}

static void fail(struct reading *reading, enum error_code code, const char *reason)
{
    (void)error_set(&reading->first, code, "%s", reason);
    stop(reading);
}

static void on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    (void)attributes;
    struct reading *reading = user;
    if (reading->failed)
        return;
    const char *colon = strrchr(name, ':');
    const char *local = colon == NULL ? name : colon + 1;
    size_t length = strlen(reading->path), extra = strlen(local) + 1;
    if (reading->depth == DEPTH_LIMIT || length + extra + 1 > PATH_LIMIT) {
        fail(reading, ERROR_LIMIT, "XML that is nested too deep");
        return;
    }
    reading->lengths[reading->depth++] = length;
    (void)snprintf(reading->path + length, PATH_LIMIT - length, "%s%s", length == 0 ? "" : "/", local);
    bytes_truncate(&reading->text, 0);
    reading->leaf = true;
}

static void on_text(void *user, const XML_Char *text, int length)
{
    struct reading *reading = user;
    if (reading->failed || !reading->leaf)
        return;
    if (!bytes_append(&reading->text, text, (size_t)length, &reading->first))
        stop(reading);
}

static void on_end(void *user, const XML_Char *name)
{
    (void)name;
    struct reading *reading = user;
    const struct s3_xml_visitor *visitor = reading->visitor;
    if (reading->failed || reading->depth == 0)
        return;
    if (reading->leaf && visitor->text != NULL) {
        const char *text = bytes_text(&reading->text);
        if (text == NULL) {
            fail(reading, ERROR_MEMORY, "no memory for XML");
            return;
        }
        if (!visitor->text(visitor->context, reading->path, reading->text.data, &reading->first)) {
            stop(reading);
            return;
        }
    }
    if (!reading->leaf && visitor->end != NULL &&
        !visitor->end(visitor->context, reading->path, &reading->first)) {
        stop(reading);
        return;
    }
    reading->leaf = false;
    reading->path[reading->lengths[--reading->depth]] = '\0';
}

static void on_document_type(void *user, const XML_Char *name, const XML_Char *system, const XML_Char *public,
                             int inner)
{
    (void)name, (void)system, (void)public, (void)inner;
    fail(user, ERROR_PROTOCOL, "XML with a document type");
}

bool s3_xml_read(const char *data, size_t size, const struct s3_xml_visitor *visitor, struct error *error)
{
    if (size > SIZE_LIMIT)
        return error_set(error, ERROR_LIMIT, "XML of more than %zu bytes", SIZE_LIMIT);
    struct reading reading = {.visitor = visitor};
    reading.parser = XML_ParserCreate(NULL);
    if (reading.parser == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to read XML");
    bytes_init(&reading.text, TEXT_LIMIT);
    XML_SetUserData(reading.parser, &reading);
    XML_SetElementHandler(reading.parser, on_start, on_end);
    XML_SetCharacterDataHandler(reading.parser, on_text);
    XML_SetStartDoctypeDeclHandler(reading.parser, on_document_type);
    for (; size > 0 && strchr(" \t\r\n", *data) != NULL && *data != '\0'; data++)
        size--; /* what S3 sends to keep a connection while it works */
    enum XML_Status status = XML_Parse(reading.parser, size == 0 ? "" : data, (int)size, 1);
    bool ok = !reading.failed && status == XML_STATUS_OK;
    if (reading.failed && error != NULL)
        *error = reading.first;
    else if (!ok)
        (void)error_set(error, ERROR_PROTOCOL, "bad XML: %s in line %lu",
                        XML_ErrorString(XML_GetErrorCode(reading.parser)),
                        (unsigned long)XML_GetCurrentLineNumber(reading.parser));
    XML_ParserFree(reading.parser);
    bytes_clear(&reading.text);
    return ok;
}

struct finding {
    const char *path;
    char *value;
    size_t size;
    bool found;
};

static bool compare_path(void *context, const char *path, char *text, struct error *error)
{
    struct finding *finding = context;
    if (strcmp(path, finding->path) != 0)
        return true;
    (void)snprintf(finding->value, finding->size, "%s", text);
    finding->found = true;
    return error_set(error, ERROR_NONE, "found");
}

bool s3_xml_find(const char *data, size_t size, const char *path, char *value, size_t value_size)
{
    struct finding finding = {path, value, value_size, false};
    struct s3_xml_visitor visitor = {.text = compare_path, .context = &finding};
    (void)s3_xml_read(data, size, &visitor, NULL);
    return finding.found;
}
