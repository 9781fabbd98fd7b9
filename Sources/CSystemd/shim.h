#define SD_JOURNAL_SUPPRESS_LOCATION
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

/* Whether the service manager would take a message within this time: sd_notify(3) waits for one that does not read. An
 * address that is none of a local socket is left to sd_notify. */
static inline int systemd_takes_messages(int milliseconds) {
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (!name || (name[0] != '/' && name[0] != '@') || strlen(name) >= sizeof address.sun_path) return 1;
    size_t length = strlen(name);
    memcpy(address.sun_path, name, length);
    /* An abstract name begins with a null byte, and its length ends it. */
    if (name[0] == '@') address.sun_path[0] = 0;
    else length++;
    int number = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (number < 0) return 1;
    struct pollfd entry = { number, POLLOUT, 0 };
    /* Only of a connected socket poll(2) knows whether the other end has room. */
    int takes = connect(number, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0
        || poll(&entry, 1, milliseconds) != 0;
    close(number);
    return takes;
}
