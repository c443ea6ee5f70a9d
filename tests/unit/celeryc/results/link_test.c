#include "celeryc/results/link.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static int socket_of_a_server_that_is_gone(void)
{
    int pair[2];
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    close(pair[1]);
    return pair[0];
}

static void a_server_that_is_gone_ends_the_link_and_not_the_process(void)
{
    static const char *const urls[] = {"redis://localhost", "rediss://localhost"};
    (void)signal(SIGPIPE, SIG_DFL);
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct redis_endpoint endpoint;
        struct redis_link link = REDIS_LINK_NONE;
        struct error error = {.code = ERROR_NONE};
        CU_ASSERT_FATAL(redis_endpoint_parse(urls[i], &endpoint, &error));
        link.fd = socket_of_a_server_that_is_gone();
        if (endpoint.tls) {
            CU_ASSERT_TRUE(redis_link_secure(&link, &endpoint, &error));
            CU_ASSERT_EQUAL(redis_link_shake_hands(&link, &error), -1);
        } else {
            CU_ASSERT_EQUAL(redis_link_write(&link, "PING\r\n", 6, &error), -1);
        }
        CU_ASSERT_EQUAL(error.code, ERROR_UNAVAILABLE);
        CU_ASSERT_STRING_EQUAL(error.message, "Broken pipe");
        redis_link_close(&link);
        CU_ASSERT_EQUAL(link.fd, -1);
    }
}

UNIT_MAIN("link", {"a server that is gone ends the link and not the process",
                   a_server_that_is_gone_ends_the_link_and_not_the_process})
