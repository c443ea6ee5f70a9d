#include "celeryc/worker/statedb.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

UNIT_MAIN("statedb", {"what was revoked is known after a restart", what_was_revoked_is_known_after_a_restart},
          {"no file is no error", no_file_is_no_error},
          {"what is no state is refused", what_is_no_state_is_refused})
