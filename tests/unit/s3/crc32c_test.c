#include "s3/crc32c.h"
#include "tests/unit/unit.h"

#include <string.h>

/* RFC 3720, appendix B.4 */
static void the_values_of_the_rfc_come_out(void)
{
    unsigned char data[32];
    memset(data, 0, sizeof data);
    CU_ASSERT_EQUAL(s3_crc32c(0, data, 32), 0x8a9136aau);
    memset(data, 0xff, sizeof data);
    CU_ASSERT_EQUAL(s3_crc32c(0, data, 32), 0x62a8ab43u);
    for (unsigned i = 0; i < 32; i++)
        data[i] = (unsigned char)i;
    CU_ASSERT_EQUAL(s3_crc32c(0, data, 32), 0x46dd794eu);
    for (unsigned i = 0; i < 32; i++)
        data[i] = (unsigned char)(31 - i);
    CU_ASSERT_EQUAL(s3_crc32c(0, data, 32), 0x113fdb5cu);
    CU_ASSERT_EQUAL(s3_crc32c(0, "123456789", 9), 0xe3069283u);
}

static void parts_can_be_put_together(void)
{
    const char *text = "The quick brown fox jumps over the lazy dog";
    for (size_t cut = 0; cut <= strlen(text); cut++)
        CU_ASSERT_EQUAL(s3_crc32c(s3_crc32c(0, text, cut), text + cut, strlen(text) - cut), 0x22620404u);
}

static void both_ways_of_computing_agree(void)
{
    unsigned char data[300];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 37 + 11);
    for (size_t size = 0; size < sizeof data; size++)
        CU_ASSERT_EQUAL(s3_crc32c(7, data, size), s3_crc32c_by_tables(7, data, size));
}

static void the_text_is_base64_of_four_bytes(void)
{
    char text[S3_CRC32C_SIZE];
    s3_crc32c_text(0, text);
    CU_ASSERT_STRING_EQUAL(text, "AAAAAA==");
    s3_crc32c_text(0xe3069283u, text);
    CU_ASSERT_STRING_EQUAL(text, "4waSgw==");
    s3_crc32c_text(0xffffffffu, text);
    CU_ASSERT_STRING_EQUAL(text, "/////w==");
}

UNIT_MAIN("CRC-32C", {"the values of the RFC come out", the_values_of_the_rfc_come_out},
          {"parts can be put together", parts_can_be_put_together},
          {"both ways of computing agree", both_ways_of_computing_agree},
          {"the text is base64 of four bytes", the_text_is_base64_of_four_bytes})
