/* One remote control command: an entry of a table, and what its function gets and gives.
 *
 * A command is a function from arguments to a reply. Each family of commands is a file of its own that ends
 * with a table; commands.c knows the tables, and binds the arguments of a request to a command's parameters
 * as Python binds keywords. To add one: write the function, add its entry to the table of its family. Source:
 * celery/worker/control.py (names, parameters, replies). */
#ifndef CELERYC_CONTROL_COMMAND_H
#define CELERYC_CONTROL_COMMAND_H

#include "celeryc/control/worker_view.h"

struct control_call {
    const struct control_worker *worker;
    json_t *arguments; /* an object; borrowed. What is required is there, what is unknown was refused */
    char *exception;   /* Python's repr of what the command raised; owned by the caller; NULL: it did not */
    bool silent;       /* the command gives no reply at all (shutdown) */
};

enum control_kind { CONTROL_INSPECT, CONTROL_STEER };

#define CONTROL_PARAMETERS 6

struct control_command {
    const char *name, *alias; /* alias: the older name, or NULL */
    enum control_kind kind;
    const char *required[CONTROL_PARAMETERS]; /* ended by NULL */
    const char *optional[CONTROL_PARAMETERS]; /* ended by NULL */
    bool any_keyword;                         /* others are taken and not looked at (**kwargs) */
    const char *signature;                    /* of the command line, or NULL */
    const char *help;                         /* one sentence */
    json_t *(*run)(
        struct control_call *call); /* the reply, a new reference; NULL: null, or what was raised */
};

/* ---- replies ---- */
json_t *control_ok(const char *format, ...) __attribute__((format(printf, 1, 2)));    /* {"ok": text} */
json_t *control_error(const char *format, ...) __attribute__((format(printf, 1, 2))); /* {"error": text} */
/* The command raises an exception: the reply is {"error": "Type('message')"}. Always NULL. */
json_t *control_raise(struct control_call *call, const char *type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- arguments ---- */
const char *control_text(const struct control_call *call, const char *name); /* NULL: absent, or no text */
bool control_truth(const struct control_call *call, const char *name);       /* as Python's bool() */
/* `signal`: "SIGTERM", "TERM" or 15; absent: SIGTERM. 0, and an exception, when there is no such signal. */
int control_signal(struct control_call *call);
long control_integer(const struct control_call *call, const char *name, long absent);

/* ---- tables; each ended by an entry without a name ---- */
extern const struct control_command inspect_tasks_commands[];
extern const struct control_command inspect_worker_commands[];
extern const struct control_command steer_events_commands[];
extern const struct control_command steer_limits_commands[];
extern const struct control_command steer_pool_commands[];
extern const struct control_command steer_queues_commands[];
extern const struct control_command steer_stamps_commands[];
extern const struct control_command steer_tasks_commands[];

#endif
