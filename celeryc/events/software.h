/* What a member of the cluster says it is, in events and reports. */
#ifndef CELERYC_EVENTS_SOFTWARE_H
#define CELERYC_EVENTS_SOFTWARE_H

#define SOFTWARE_IDENT "celeryc"
#define SOFTWARE_VERSION "0.1.0"
#define SOFTWARE_SYSTEM "Linux"
#define SOFTWARE_CELERY "5.7.0" /* the version of Celery that it speaks as */

#endif
