/* What a member of the cluster says it is, in events and reports. */
#ifndef CELERYC_EVENTS_SOFTWARE_H
#define CELERYC_EVENTS_SOFTWARE_H

#define SOFTWARE_IDENT "celeryc"
#define SOFTWARE_VERSION "0.1.0"
#define SOFTWARE_SYSTEM "Linux"

#endif
