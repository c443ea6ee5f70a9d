/* What a member of the cluster says it is, in events and reports. */
#ifndef CELERYC_EVENTS_SOFTWARE_H
#define CELERYC_EVENTS_SOFTWARE_H

#include "celeryc/version.h" /* made by celeryc/meson.build */

#define SOFTWARE_IDENT "celeryc"
#define SOFTWARE_VERSION CELERYC_VERSION
#define SOFTWARE_SYSTEM "Linux"
#define SOFTWARE_CELERY "5.7.0" /* the version of Celery that it speaks as */

#endif
