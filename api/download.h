/* GET and HEAD /download/<id>: the merged file, or how far the merge is, or why there is none. */
#ifndef API_DOWNLOAD_H
#define API_DOWNLOAD_H

#include "api/call.h"

/* The state comes from the job's record, Celery's stored result and, for a merge that succeeded, S3;
 * docs/api.md has the table of answers. */
void download_serve(struct call *call);

#endif
