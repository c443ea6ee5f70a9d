/* Offset-value codes: how a line differs from the line before it, as one number.
 *
 * A line is seen as columns of CODE_COLUMN bytes. The code of a line against a base line that is not greater
 * says in which column they first differ (earlier column, greater code) and what the line has there (greater
 * value, greater code). Of two lines coded against the same base, the one with the smaller code is the
 * smaller line, and the code of the larger against the smaller is the one it already has. So a tree of losers
 * compares numbers, and looks at bytes only where codes are equal, and then only behind the column that both
 * share. Logs whose lines all begin with a timestamp are merged as fast as others.
 *
 *     63          51 50                      3 2   0
 *     | MAX - column | bytes of the column     | n |      n: how many bytes of the column the line has, 0 to
 * 6
 *
 * Bytes behind the line's end are 0 in a code, and n tells "a" from "a\0". Lines that share more than
 * CODE_COLUMN_CAP columns are coded as if they differed in that one: their codes are equal there, and the
 * bytes decide.
 *
 * Reading a column loads 8 bytes: whatever holds lines has CODE_SLACK readable bytes behind the last one.
 * Source: Graefe and Do, "Offset-value coding in database query processing", 2022. Pure; internal to merge/.
 */
#ifndef MERGE_CODE_H
#define MERGE_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define CODE_COLUMN 6
#define CODE_COLUMN_MAX 8191u
#define CODE_COLUMN_CAP 8190u
#define CODE_SLACK 32

#define CODE_EQUAL UINT64_C(0) /* the same line as the base; no other line has it */
#define CODE_END UINT64_MAX    /* no line at all: the input has ended; greater than every line's code */

static inline uint64_t code_load(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* The first byte of memory in the most significant place. */
static inline uint64_t code_big_endian(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_bswap64(word);
#else
    return word;
#endif
}

/* Which byte of memory is the first that is not 0 in a word that is not 0. */
static inline size_t code_first_byte(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(word) >> 3;
#else
    return (size_t)__builtin_clzll(word) >> 3;
#endif
}

#ifdef __SSE2__
/* A bit for each of 16 bytes: whether they are equal. */
static inline uint32_t code_equal(const char *one, const char *other)
{
    __m128i equal =
        _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)one), _mm_loadu_si128((const __m128i *)other));
    return (uint32_t)_mm_movemask_epi8(equal);
}
#endif

/* The first place from `from` on where the lines differ, or the length of the shorter one. `from` is not
 * behind it. */
static inline size_t code_difference(const char *one, size_t one_length, const char *other,
                                     size_t other_length, size_t from)
{
    size_t shorter = one_length < other_length ? one_length : other_length;
#ifdef __SSE2__
    for (size_t at = from; at < shorter; at += 2 * sizeof(__m128i)) {
        uint32_t differs = ~(code_equal(one + at, other + at) |
                             code_equal(one + at + sizeof(__m128i), other + at + sizeof(__m128i)) << 16);
        if (differs != 0) {
            at += (size_t)__builtin_ctz(differs);
            return at < shorter ? at : shorter;
        }
    }
    return shorter;
#else
    for (size_t at = from; at < shorter; at += sizeof(uint64_t)) {
        uint64_t word = code_load(one + at) ^ code_load(other + at);
        if (word != 0) {
            at += code_first_byte(word);
            return at < shorter ? at : shorter;
        }
    }
    return shorter;
#endif
}

/* The code of a line whose first difference from the base is at byte `at`. */
static inline uint64_t code_make(const char *line, size_t length, size_t at)
{
    uint64_t column = at / CODE_COLUMN;
    if (__builtin_expect(column > CODE_COLUMN_CAP, 0))
        column = CODE_COLUMN_CAP;
    size_t rest = length - column * CODE_COLUMN;
    uint64_t value = code_big_endian(code_load(line + column * CODE_COLUMN));
    if (rest < CODE_COLUMN) {
        value &= ~(UINT64_MAX >> (8 * rest));
    } else {
        rest = CODE_COLUMN;
        value &= ~UINT64_C(0xffff);
    }
    return (CODE_COLUMN_MAX - column) << 51 | value >> 13 | rest;
}

/* Codes `line` against `base`. False when it is smaller than the base. */
static inline bool code_against(const char *base, size_t base_length, const char *line, size_t length,
                                uint64_t *code)
{
    size_t at = code_difference(base, base_length, line, length, 0);
    if (__builtin_expect(at == length, 0)) {
        *code = CODE_EQUAL;
        return length == base_length;
    }
    if (at < base_length && (unsigned char)line[at] < (unsigned char)base[at])
        return false;
    *code = code_make(line, length, at);
    return true;
}

/* Where lines whose codes are equal (and neither CODE_EQUAL nor CODE_END) may first differ: behind that
 * column. */
static inline size_t code_shared(uint64_t code)
{
    return (size_t)(CODE_COLUMN_MAX - (code >> 51)) * CODE_COLUMN + (size_t)(code & 7);
}

#endif
