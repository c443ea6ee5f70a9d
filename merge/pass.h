/* One pass of a merge: all inputs at once, a window each. Internal to merge/. */
#ifndef MERGE_PASS_H
#define MERGE_PASS_H

#include "merge/merge.h"

/* As merge_run(), for options without zeros and at most merge_fan_in() sources. Of the sources the first
 * `own` are the caller's, whose bytes_read and sources_done are counted; the others are outputs of earlier
 * passes. `final`: the sink gets the result, whose lines and bytes_written are counted. Adds to `counters`.
 */
bool pass_run(struct merge_source **sources, size_t count, size_t own, struct merge_sink *sink, bool final,
              const struct merge_options *options, struct merge_counters *counters, struct error *error);

#endif
