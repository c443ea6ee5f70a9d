/* What a merge reports of itself. */
#include "tests/unit/unit.h"
#include "worker/progress.h"

static void expect(const struct plan *plan, const struct merge_counters *counters, const char *expected)
{
    json_t *is = progress_describe(plan, counters);
    json_t *wanted = json_loads(expected, 0, NULL);
    CU_ASSERT(wanted != NULL && json_equal(is, wanted));
    json_decref(is);
    json_decref(wanted);
}

static void a_merge_reports_files_bytes_and_percent(void)
{
    struct plan plan = {.count = 3, .bytes = 3000};
    expect(&plan, &(struct merge_counters){0},
           "{\"files_done\":0,\"files_total\":3,\"bytes_done\":0,\"bytes_total\":3000,\"percent\":0.0}");
    expect(&plan, &(struct merge_counters){.bytes_written = 1000, .bytes_read = 2000, .sources_done = 1},
           "{\"files_done\":1,\"files_total\":3,\"bytes_done\":1000,\"bytes_total\":3000,\"percent\":33.3}");
}

static void it_never_reports_more_than_all(void)
{
    struct plan plan = {.count = 3, .bytes = 3000};
    expect(&plan, &(struct merge_counters){.bytes_written = 3003, .bytes_read = 3000, .sources_done = 3},
           "{\"files_done\":3,\"files_total\":3,\"bytes_done\":3000,\"bytes_total\":3000,\"percent\":100.0}");
}

static void a_merge_of_nothing_is_not_a_division_by_zero(void)
{
    struct plan plan = {0};
    expect(&plan, &(struct merge_counters){0},
           "{\"files_done\":0,\"files_total\":0,\"bytes_done\":0,\"bytes_total\":0,\"percent\":0.0}");
}

UNIT_MAIN("progress", {"a merge reports files, bytes and percent", a_merge_reports_files_bytes_and_percent},
          {"it never reports more than all, newlines that were added included",
           it_never_reports_more_than_all},
          {"a merge of nothing is not a division by zero", a_merge_of_nothing_is_not_a_division_by_zero})
