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

/* Whether whoever reads a local socket would take a message within this time: sd_notify(3) and sd_journal_sendv(3) wait
 * for one that does not read, and the latter succeeds where nobody is there. A name is a path, or begins with '@'. */
static inline int systemd_takes_messages(const char *name, int milliseconds) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = strlen(name);
    if (length >= sizeof address.sun_path) return 0;
    memcpy(address.sun_path, name, length);
    /* An abstract name begins with a null byte, and its length ends it. */
    if (name[0] == '@') address.sun_path[0] = 0;
    else length++;
    int number = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (number < 0) return 0;
    struct pollfd entry = { number, POLLOUT, 0 };
    /* Only of a connected socket poll(2) knows whether the other end has room. */
    int takes = connect(number, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == 0
        && poll(&entry, 1, milliseconds) > 0;
    close(number);
    return takes;
}
