/* CRC-32C (Castagnoli), the cheapest checksum that S3 takes (x-amz-checksum-crc32c). Pure, thread-safe; uses
 * the processor's instruction where there is one. Source: RFC 3720, appendix B.4 (with test values). */
#ifndef S3_CRC32C_H
#define S3_CRC32C_H

#include <stddef.h>
#include <stdint.h>

#define S3_CRC32C_SIZE 9 /* 8 characters of base64 and a NUL */

uint32_t s3_crc32c(uint32_t before, const void *data,
                   size_t size); /* `before`: 0, or the value of the bytes before */

/* The same without that instruction, for processors that have none. */
uint32_t s3_crc32c_by_tables(uint32_t before, const void *data, size_t size);

/* As the header has it: base64 of the four bytes, the highest first. */
void s3_crc32c_text(uint32_t crc, char text[S3_CRC32C_SIZE]);

#endif
