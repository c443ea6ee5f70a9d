/* The read side of a merge: the objects of a plan as merge sources.
 *
 * All objects share a set of S3 readers, which fetch ahead of the merge. A merge asks its sources for their
 * first bytes one after the other; so that each does not wait for S3 in turn, the first read of one opens the
 * next OBJECT_SOURCE_AHEAD as well. A reader is closed when its object ends. An object that is gone, or
 * another one than the plan has listed, is ERROR_CHANGED. Used by one thread. */
#ifndef WORKER_OBJECT_SOURCE_H
#define WORKER_OBJECT_SOURCE_H

#include "merge/merge.h"
#include "s3/read.h"
#include "worker/plan.h"

#define OBJECT_SOURCE_AHEAD 512
#define OBJECT_SOURCE_PIECE                                                                                  \
    ((size_t)64 << 10) /* least window of an object when there are more than connections */

struct object_sources;

struct object_sources_options {
    const char *bucket; /* borrowed */
    size_t read_ahead;  /* bytes of all objects together */
    size_t fan_in;      /* how many the merge reads at once, at most */
    unsigned connections;
};

/* The plan is borrowed and must outlive the sources. Opens nothing yet. */
struct object_sources *object_sources_new(struct s3_client *client, const struct plan *plan,
                                          const struct object_sources_options *options, struct error *error);
void object_sources_free(struct object_sources *sources); /* NULL is allowed */

/* As many as the plan has files, in its order; owned by `sources`. */
struct merge_source **object_sources_list(struct object_sources *sources);

#endif
