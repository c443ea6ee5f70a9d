#include "celeryc/worker/hash.h"

#include <string.h>
#include <sys/random.h>

static uint64_t mix(uint64_t value)
{
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccdULL;
    value ^= value >> 33;
    value *= 0xc4ceb9fe1a85ec53ULL;
    return value ^ (value >> 33);
}

/* Drawn at the first use and kept: what was hashed before must be found again. */
static uint64_t process_key(void)
{
    static uint64_t key;
    if (key == 0) {
        if (getrandom(&key, sizeof key, 0) != (ssize_t)sizeof key)
            key = (uint64_t)(uintptr_t)&key;
        key |= 1;
    }
    return key;
}

uint64_t hash_text(const char *text)
{
    size_t size = strlen(text);
    uint64_t hash = process_key() ^ size;
    while (size > 0) {
        uint64_t word = 0;
        size_t part = size < sizeof word ? size : sizeof word;
        memcpy(&word, text, part);
        hash = mix(hash ^ word) + (hash << 7);
        text += part;
        size -= part;
    }
    return mix(hash);
}

size_t hash_size_for(size_t entries)
{
    size_t size = 16;
    while (size < 2 * entries && size < ((size_t)1 << 40))
        size *= 2;
    return size;
}
