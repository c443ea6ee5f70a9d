/* ISO 8601 as Celery reads it in `eta` and `expires`: wider than what it writes, since clients in other
 * languages write other forms. Source: dateutil.parser.isoparse, celery/utils/time.py maybe_iso8601. Pure. */
#ifndef CELERYC_MESSAGE_ISO_TIME_H
#define CELERYC_MESSAGE_ISO_TIME_H

#include <stdbool.h>

/* Date: YYYY-MM-DD, YYYYMMDD, YYYY-DDD, YYYYDDD, YYYY-Www-D, YYYYWwwD, and alone also YYYY, YYYY-MM,
 * YYYY-Www, YYYYWww. Then, after any one character: HH, HH:MM, HHMM, HH:MM:SS, HHMMSS, each of the last two
 * with a fraction behind '.' or ',' (microseconds; more is cut off), 24:00 for the end of the day; then Z,
 * +HH, +HHMM, +HH:MM, or nothing for UTC. `*wall` is seconds since 1970. */
bool iso_time_parse(const char *text, double *wall);

#endif
