/* Runs a fuzz target where libFuzzer is not: fuzz-NAME ROUNDS SEED FILE... gives it each file as it is, then
 * ROUNDS times a file changed at random: bits, bytes, runs doubled, cut and swapped between files. The same
 * SEED gives the same inputs, so that what fails once fails again. The input that is being run is kept in
 * $FUZZ_INPUT, for the report. */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { INPUT_MOST = 64 * 1024 };

struct input {
    uint8_t *data;
    size_t size;
};

static uint64_t state;

static size_t below(size_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return limit == 0 ? 0 : (size_t)(state % limit);
}

static struct input read_file(const char *path)
{
    struct input input = {.data = malloc(INPUT_MOST)};
    FILE *file = fopen(path, "rb");
    if (file == NULL || input.data == NULL) {
        perror(path);
        exit(2);
    }
    input.size = fread(input.data, 1, INPUT_MOST, file);
    fclose(file);
    return input;
}

/* Puts bytes in where there is room for them. */
static void insert(struct input *input, size_t at, const uint8_t *from, size_t count)
{
    if (input->size + count > INPUT_MOST)
        return;
    memmove(input->data + at + count, input->data + at, input->size - at);
    memcpy(input->data + at, from, count);
    input->size += count;
}

static void cut(struct input *input, size_t at, size_t count)
{
    if (count > input->size - at)
        count = input->size - at;
    memmove(input->data + at, input->data + at + count, input->size - at - count);
    input->size -= count;
}

static void mutate(struct input *input, const struct input *other)
{
    static const char *const words[] = {
        "[",        "]", "{",     "}",  "\"",   "\\",   "\\u",
        "null",     "-", "1e999", "\0", "\xff", "\xc3", "9999999999999999999999",
        "__type__", ",", ":",     "00", "\n"};
    uint8_t run[64];
    size_t at = below(input->size + 1), count = 1 + below(sizeof run), from = below(other->size + 1);
    switch (below(6)) {
    case 0:
        if (at < input->size)
            input->data[at] ^= (uint8_t)(1u << below(8));
        break;
    case 1:
        if (at < input->size)
            input->data[at] = (uint8_t)below(256);
        break;
    case 2:
        cut(input, at, count);
        break;
    case 3:
        if (count > other->size - from)
            count = other->size - from;
        memcpy(run, other->data + from, count);
        insert(input, at, run, count);
        break;
    case 4: {
        const char *word = words[below(sizeof words / sizeof words[0])];
        insert(input, at, (const uint8_t *)word, word[0] == '\0' ? 1 : strlen(word));
        break;
    }
    default:
        cut(input, at, input->size);
        break;
    }
}

/* A file whose contents are the input that is being run, behind zeros to its end; NULL where nobody asks for
 * one. */
static uint8_t *open_report(void)
{
    const char *path = getenv("FUZZ_INPUT");
    if (path == NULL)
        return NULL;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    void *pages = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, INPUT_MOST) == 0)
        pages = mmap(NULL, INPUT_MOST, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (pages == MAP_FAILED) {
        perror(path);
        exit(2);
    }
    close(fd);
    return pages;
}

static void run(const struct input *input, uint8_t *report)
{
    static size_t reported;
    if (report != NULL) {
        memcpy(report, input->data, input->size);
        if (reported > input->size)
            memset(report + input->size, 0, reported - input->size);
        reported = input->size;
    }
    uint8_t *exact =
        malloc(input->size == 0 ? 1 : input->size); /* so that a byte read beyond the end is seen */
    if (exact == NULL)
        exit(2);
    memcpy(exact, input->data, input->size);
    LLVMFuzzerTestOneInput(exact, input->size);
    free(exact);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s ROUNDS SEED FILE...\n", argv[0]);
        return 2;
    }
    size_t rounds = strtoul(argv[1], NULL, 10), count = (size_t)argc - 3;
    state = strtoul(argv[2], NULL, 10) * 2654435761u + 88172645463325252u;
    struct input *seeds = calloc(count, sizeof *seeds), input = {.data = malloc(INPUT_MOST)};
    uint8_t *report = open_report();
    if (seeds == NULL || input.data == NULL)
        return 2;
    for (size_t i = 0; i < count; i++) {
        seeds[i] = read_file(argv[3 + i]);
        run(&seeds[i], report);
    }
    for (size_t round = 0; round < rounds; round++) {
        const struct input *seed = &seeds[below(count)];
        memcpy(input.data, seed->data, seed->size);
        input.size = seed->size;
        for (size_t changes = 1 + below(6); changes > 0; changes--)
            mutate(&input, &seeds[below(count)]);
        run(&input, report);
    }
    for (size_t i = 0; i < count; i++)
        free(seeds[i].data);
    free(seeds);
    free(input.data);
    printf("%zu inputs\n", count + rounds);
    return 0;
}
