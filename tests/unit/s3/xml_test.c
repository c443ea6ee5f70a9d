#include "s3/xml.h"

#include "common/bytes.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static bool note_text(void *context, const char *path, char *text, struct error *error)
{
    return bytes_append_format(context, error, "[%s=%s]", path, text);
}

static bool note_end(void *context, const char *path, struct error *error)
{
    return bytes_append_format(context, error, "(%s)", path);
}

static void expect(const char *xml, const char *events)
{
    struct bytes seen = {0};
    struct s3_xml_visitor visitor = {note_text, note_end, &seen};
    CU_ASSERT(s3_xml_read(xml, strlen(xml), &visitor, NULL));
    CU_ASSERT_STRING_EQUAL(bytes_text(&seen), events);
    bytes_clear(&seen);
}

static enum error_code failure(const char *xml, size_t size)
{
    struct s3_xml_visitor visitor = {0};
    struct error error = {0};
    CU_ASSERT_FALSE(s3_xml_read(xml, size, &visitor, &error));
    CU_ASSERT(error.message[0] != '\0');
    return error.code;
}

static void leaves_and_ends_are_reported_by_path(void)
{
    expect("<?xml version=\"1.0\"?>\n<R xmlns=\"x\"><A><K>a&amp;b</K> <S>1</S></A><T/></R>",
           "[R/A/K=a&b][R/A/S=1](R/A)[R/T=](R)");
}

static void prefixes_of_namespaces_are_ignored(void)
{
    expect("<s3:R xmlns:s3=\"x\"><s3:K>1</s3:K></s3:R>", "[R/K=1](R)");
}

static void white_space_before_the_declaration_is_allowed(void)
{
    expect("  \n\n<?xml version=\"1.0\"?><R>1</R>", "[R=1]");
}

static void what_is_no_xml_is_refused(void)
{
    CU_ASSERT_EQUAL(failure("", 0), ERROR_PROTOCOL);
    CU_ASSERT_EQUAL(failure("<a><b></a>", 10), ERROR_PROTOCOL);
    CU_ASSERT_EQUAL(failure("<a>\0</a>", 8), ERROR_PROTOCOL);
    CU_ASSERT_EQUAL(failure("\0\0\0\0", 4), ERROR_PROTOCOL);
    CU_ASSERT_EQUAL(failure("<a>\xff</a>", 8), ERROR_PROTOCOL);
}

static void entities_cannot_be_declared(void)
{
    const char *bomb = "<!DOCTYPE a [<!ENTITY b \"bbbb\">]><a>&b;</a>";
    CU_ASSERT_EQUAL(failure(bomb, strlen(bomb)), ERROR_PROTOCOL);
}

static void depth_and_text_are_limited(void)
{
    struct bytes xml = {0};
    for (int i = 0; i < 100; i++)
        (void)bytes_append_text(&xml, "<a>", NULL);
    CU_ASSERT_EQUAL(failure(xml.data, xml.size), ERROR_LIMIT);
    bytes_truncate(&xml, 0);
    (void)bytes_append_text(&xml, "<a>", NULL);
    for (int i = 0; i < 70 << 10; i++)
        (void)bytes_append_text(&xml, "x", NULL);
    (void)bytes_append_text(&xml, "</a>", NULL);
    CU_ASSERT_EQUAL(failure(xml.data, xml.size), ERROR_LIMIT);
    bytes_clear(&xml);
}

static void one_text_is_found_by_its_path(void)
{
    const char *xml = "<Error><Code>SlowDown</Code><Message>Please</Message><Code>x</Code></Error>";
    char value[6];
    CU_ASSERT(s3_xml_find(xml, strlen(xml), "Error/Code", value, sizeof value));
    CU_ASSERT_STRING_EQUAL(value, "SlowD");
    CU_ASSERT_FALSE(s3_xml_find(xml, strlen(xml), "Error/Region", value, sizeof value));
    CU_ASSERT_FALSE(s3_xml_find("<html>", 6, "Error/Code", value, sizeof value));
}

UNIT_MAIN("XML", {"leaves and ends are reported by path", leaves_and_ends_are_reported_by_path},
          {"prefixes of namespaces are ignored", prefixes_of_namespaces_are_ignored},
          {"white space before the declaration is allowed", white_space_before_the_declaration_is_allowed},
          {"what is no XML is refused", what_is_no_xml_is_refused},
          {"entities cannot be declared", entities_cannot_be_declared},
          {"depth and text are limited", depth_and_text_are_limited},
          {"one text is found by its path", one_text_is_found_by_its_path})
