/* logmerge-api: the REST API of the log merge service. */
#include "api/api.h"
#include "api/check.h"
#include "api/server.h"
#include "common/clock.h"
#include "common/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <yder.h>

#define DRAIN_POLL 20 /* milliseconds */
#define EXIT_USAGE 2

/* Ulfius logs through yder; its lines join ours. */
static void log_ulfius(void *context, const char *program, const time_t date, const unsigned long level,
                       const char *message)
{
    (void)context, (void)program, (void)date;
    log_write(level == Y_LOG_LEVEL_ERROR ? LOG_WARNING : LOG_DEBUG, NULL, "%s", message);
}

/* Connections, S3 and Redis want more descriptors than the usual 1,024. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Waits for a signal of the set, `milliseconds` at most; 0 when none came. */
static int await_signal(const sigset_t *signals, int milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    int signal = sigtimedwait(signals, NULL, &time);
    return signal > 0 ? signal : 0;
}

/* Serves until a signal; then lets requests in flight end, as long as they may take or until a second signal.
 */
static void serve(struct api *api, struct server *server, const sigset_t *signals)
{
    int signal = 0;
    while (signal == 0)
        signal = await_signal(signals, 3600 * 1000);
    log_info("%s: taking no further connections", strsignal(signal));
    server_drain(server);
    double deadline = clock_monotonic() + api->settings.shutdown_timeout;
    while (server_in_flight(server) > 0 && clock_monotonic() < deadline) {
        if (await_signal(signals, DRAIN_POLL) != 0)
            break;
    }
    unsigned left = server_in_flight(server);
    if (left > 0)
        log_warning("%u requests in flight are cut", left);
    atomic_store(&api->cut, true);
}

static bool run(const struct api_settings *settings, const sigset_t *signals, struct error *error)
{
    struct api api;
    if (!api_init(&api, settings, error))
        return false;
    struct server *server = server_start(&api, error);
    if (server == NULL) {
        api_clear(&api);
        return false;
    }
    log_info("listening on %s, port %d", settings->address, server_port(server));
    serve(&api, server, signals);
    server_free(server);
    api_clear(&api);
    log_info("stopped");
    return true;
}

int main(int argc, char **argv)
{
    struct error error = {0};
    struct api_settings settings;
    enum log_level level;
    sigset_t signals;
    if (argc == 2 && strcmp(argv[1], "--help-man") == 0) {
        api_settings_print_manual(argv[0], LOGMERGE_VERSION, stdout);
        return 0;
    }
    if (!api_settings_read(&settings, argc, argv, &error)) {
        fprintf(stderr, "logmerge-api: %s\n", error.message);
        return EXIT_USAGE;
    }
    if (settings.help) {
        api_settings_print(stdout);
        return 0;
    }
    if (settings.check) {
        if (check_alive(&settings, &error))
            return 0;
        fprintf(stderr, "logmerge-api: %s\n", error.message);
        return 1;
    }
    if (log_parse_level(settings.log_level, &level))
        log_set_level(level);
    log_set_json(settings.log_json);
    /* Before any thread starts, so that all of them leave these signals to us. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    y_init_logs("logmerge-api", Y_LOG_MODE_CALLBACK, Y_LOG_LEVEL_WARNING, NULL, NULL);
    y_set_logs_callback(log_ulfius, NULL, NULL);
    bool ran = run(&settings, &signals, &error);
    y_close_logs();
    if (!ran)
        fprintf(stderr, "logmerge-api: %s\n", error.message);
    return ran ? 0 : error.code == ERROR_INVALID ? EXIT_USAGE : 1;
}
