/* More inputs than memory has windows for are merged in several passes over a storage. */
#include "merge/file.h"
#include "tests/unit/merge/random.h"
#include "tests/unit/unit.h"

#include <unistd.h>

static void several_passes_give_the_same_output(void)
{
    static const struct random_shape shape = {.alphabet = 5, .longest = 30, .lines = 30};
    struct error error = {0};
    struct merge_storage *storage = file_storage_new(NULL, &error);
    static const size_t fan_ins[] = {2, 3, 10, 99};
    static const size_t counts[] = {2, 3, 4, 5, 11, 12, 100, 301};
    for (size_t i = 0; i < sizeof fan_ins / sizeof fan_ins[0]; i++) {
        struct merge_options options = {.memory = fan_ins[i] * MERGE_WINDOW_MINIMUM, .storage = storage};
        for (size_t j = 0; j < sizeof counts / sizeof counts[0]; j++)
            CU_ASSERT(random_merge(i + 10 * j + 1, counts[j], &shape, &options));
    }
    file_storage_free(storage);
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    for (int i = 0; i < 256; i++)
        count += lseek(i, 0, SEEK_CUR) >= 0;
    return count;
}

static void an_error_in_any_pass_leaves_nothing_behind(void)
{
    struct error error = {0};
    struct merge_storage *storage = file_storage_new(NULL, &error);
    struct merge_options options = {.memory = 3 * MERGE_WINDOW_MINIMUM, .storage = storage};
    size_t before = open_descriptors();
    for (size_t bad = 0; bad < 10; bad++) {
        struct memory_source sources[10];
        for (size_t i = 0; i < 10; i++)
            sources[i] =
                memory_source(i == bad ? "logs/bad" : "logs/good", i == bad ? "b\na\n" : "a\nb\n", 4);
        struct memory_sink sink = memory_sink();
        CU_ASSERT(!memory_merge(sources, 10, &sink, &options, NULL, &error));
        CU_ASSERT_EQUAL(error.code, ERROR_UNSORTED);
        CU_ASSERT(strstr(error.message, "logs/bad is not sorted: line 2") != NULL);
        bytes_clear(&sink.bytes);
    }
    CU_ASSERT_EQUAL(open_descriptors(), before);
    file_storage_free(storage);
}

static void a_storage_that_cannot_write_is_an_error(void)
{
    struct error error = {0};
    struct merge_storage *storage = file_storage_new("/nonexistent/folder", &error);
    struct merge_options options = {.memory = 2 * MERGE_WINDOW_MINIMUM, .storage = storage};
    struct memory_source sources[3];
    for (size_t i = 0; i < 3; i++)
        sources[i] = memory_source("x", "a\n", 2);
    struct memory_sink sink = memory_sink();
    CU_ASSERT(!memory_merge(sources, 3, &sink, &options, NULL, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_SYSTEM);
    CU_ASSERT(strstr(error.message, "/nonexistent/folder") != NULL);
    bytes_clear(&sink.bytes);
    file_storage_free(storage);
}

static void a_file_that_is_not_there_is_an_error(void)
{
    struct file_source source;
    file_source_init(&source, "/nonexistent/file");
    struct merge_source *sources[] = {&source.source};
    struct memory_sink sink = memory_sink();
    struct error error = {0};
    CU_ASSERT(!merge_run(sources, 1, &sink.sink, NULL, NULL, &error));
    CU_ASSERT_STRING_EQUAL(error.message, "/nonexistent/file: No such file or directory");
    file_source_clear(&source);
}

UNIT_MAIN("merges in several passes",
          {"several passes give the same output", several_passes_give_the_same_output},
          {"an error in any pass leaves nothing behind", an_error_in_any_pass_leaves_nothing_behind},
          {"a storage that cannot write is an error", a_storage_that_cannot_write_is_an_error},
          {"a file that is not there is an error", a_file_that_is_not_there_is_an_error})
