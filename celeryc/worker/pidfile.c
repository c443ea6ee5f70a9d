#include "celeryc/worker/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NO_PID -1

/* The process id in the file; 0 when there is no file or nothing in it, NO_PID when it holds something else.
 */
static long read_pid(const char *path)
{
    char text[32] = "", *end;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size == 0)
        return 0;
    long pid = strtol(text, &end, 10);
    bool whole = size > 0 && size < (ssize_t)sizeof text - 1 && end[strspn(end, " \n")] == '\0';
    return whole && pid > 0 && pid <= INT_MAX ? pid : NO_PID;
}

bool pidfile_write(const char *path, struct error *error)
{
    long other = read_pid(path);
    if (other == NO_PID)
        return error_set(error, ERROR_INVALID,
                         "%s holds no process id: it is not overwritten; remove it, or name another file",
                         path);
    if (other != 0 && other != (long)getpid() && (kill((pid_t)other, 0) == 0 || errno == EPERM))
        return error_set(error, ERROR_INVALID, "pid file %s exists and its process %ld runs", path, other);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_set_errno(error, "cannot write pid file %s", path);
    char text[32];
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    bool written = write(fd, text, (size_t)size) == size;
    if (!written)
        error_set_errno(error, "cannot write pid file %s", path);
    close(fd);
    return written;
}

void pidfile_remove(const char *path)
{
    if (read_pid(path) == (long)getpid())
        (void)unlink(path);
}
