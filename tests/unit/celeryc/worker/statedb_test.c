#include "celeryc/worker/statedb.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static void make_path(void)
{
    (void)snprintf(path, sizeof path, "/tmp/statedb-test-XXXXXX");
    int fd = mkstemp(path);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    close(fd);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

static void what_was_revoked_is_known_after_a_restart(void)
{
    make_path();
    struct lamport_clock clock = {0}, later = {0};
    struct id_ring *before = id_ring_new(10, NULL), *after = id_ring_new(10, NULL);
    id_ring_add(before, "a", 0, 0);
    id_ring_add(before, "b \"quoted\"", 0, 0);
    lamport_adjust(&clock, 41);
    CU_ASSERT_TRUE(statedb_save(path, before, &clock, NULL));
    CU_ASSERT_TRUE(statedb_load(path, after, &later, NULL));
    CU_ASSERT_TRUE(id_ring_has(after, "a", 0, NULL));
    CU_ASSERT_TRUE(id_ring_has(after, "b \"quoted\"", 0, NULL));
    CU_ASSERT_TRUE(lamport_value(&later) > 42);
    id_ring_free(before);
    id_ring_free(after);
    unlink(path);
}

static void no_file_is_no_error(void)
{
    struct lamport_clock clock = {0};
    struct id_ring *ring = id_ring_new(10, NULL);
    CU_ASSERT_TRUE(statedb_load("/tmp/there is no such file of state", ring, &clock, NULL));
    id_ring_free(ring);
}

static void what_is_no_state_is_refused(void)
{
    make_path();
    struct lamport_clock clock = {0};
    struct id_ring *ring = id_ring_new(10, NULL);
    static const char *const bad[] = {"", "[1]", "\"x\"", "{\"revoked\": [", "\x80\x04pickle"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error error = {0};
        write_file(bad[i]);
        CU_ASSERT_FALSE(statedb_load(path, ring, &clock, &error));
        CU_ASSERT_EQUAL(error.code, ERROR_INVALID);
    }
    write_file("{\"revoked\": [1, null, \"good\", {}], \"clock\": \"x\"}");
    CU_ASSERT_TRUE(statedb_load(path, ring, &clock, NULL));
    CU_ASSERT_TRUE(id_ring_has(ring, "good", 0, NULL));
    id_ring_free(ring);
    unlink(path);
}

static void what_is_no_file_is_refused_and_not_waited_for(void)
{
    make_path();
    unlink(path);
    struct lamport_clock clock = {0};
    struct id_ring *ring = id_ring_new(10, NULL);
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    CU_ASSERT_FALSE(statedb_load(path, ring, &clock, NULL));
    unlink(path);
    CU_ASSERT_FALSE(statedb_load("/tmp", ring, &clock, NULL));
    id_ring_free(ring);
}

static void what_lies_in_the_way_is_replaced_and_not_written_to(void)
{
    make_path();
    char other[80], victim[80];
    (void)snprintf(other, sizeof other, "%s.new", path);
    (void)snprintf(victim, sizeof victim, "%s.victim", path);
    struct lamport_clock clock = {0};
    struct id_ring *ring = id_ring_new(10, NULL);
    id_ring_add(ring, "a", 0, 0);
    CU_ASSERT_EQUAL_FATAL(symlink(victim, other), 0);
    CU_ASSERT_TRUE(statedb_save(path, ring, &clock, NULL));
    CU_ASSERT_NOT_EQUAL(access(victim, F_OK), 0);
    CU_ASSERT_NOT_EQUAL(access(other, F_OK), 0);
    CU_ASSERT_TRUE(statedb_load(path, ring, &clock, NULL));
    id_ring_free(ring);
    unlink(path);
}

static void too_many_long_ids_are_kept_as_far_as_they_fit(void)
{
    make_path();
    static char id[4097];
    struct lamport_clock clock = {0};
    struct id_ring *before = id_ring_new(2000, NULL), *after = id_ring_new(2000, NULL);
    memset(id, 'y', sizeof id - 1);
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(id + 4000, 90, "%d", i);
        id_ring_add(before, id, 0, 0);
    }
    CU_ASSERT_TRUE(statedb_save(path, before, &clock, NULL));
    CU_ASSERT_TRUE(statedb_load(path, after, &clock, NULL));
    CU_ASSERT_TRUE(id_ring_has(after, id, 0, NULL));
    id_ring_free(before);
    id_ring_free(after);
    unlink(path);
}

UNIT_MAIN("statedb", {"what was revoked is known after a restart", what_was_revoked_is_known_after_a_restart},
          {"no file is no error", no_file_is_no_error},
          {"what is no state is refused", what_is_no_state_is_refused},
          {"what is no file is refused and not waited for", what_is_no_file_is_refused_and_not_waited_for},
          {"what lies in the way is replaced and not written to",
           what_lies_in_the_way_is_replaced_and_not_written_to},
          {"too many long ids are kept as far as they fit", too_many_long_ids_are_kept_as_far_as_they_fit})
