/*
 * Time that jumps instead of passing, for one program on a tree of plain files: preloaded, it lets ksmtuned live through
 * a year in minutes.
 *
 *     cc -shared -fPIC -O2 -o hasten.so hasten.c
 *     HASTEN_CONTROL=FD HASTEN_UEVENTS=FD LD_PRELOAD=./hasten.so ksmtuned …
 *
 * A wait (ppoll) in which nothing is there yet ends at once, and every clock is that much later: this is a tick. Before
 * a wait that is the HASTEN_EVERY-th (100) or later since the last time, the number of ticks goes to the socket
 * HASTEN_CONTROL as eight bytes, and the program stands still until a byte comes back: meanwhile the tree is changed,
 * and signals and events are sent, so the same seed gives the same life.
 *
 * The datagrams of HASTEN_UEVENTS come as the kernel's uevents.
 *
 * It refuses a host whose KSM is the kernel's own: there must be a file .tree beside KSM's files.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SECOND = 1000000000 };

static int control = -1, uevents = -1, heard = -1;
static uint64_t ticks, every = 100, since;
static int64_t ahead;                           /* nanoseconds */

static int number(const char *name, int otherwise)
{
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

__attribute__((constructor)) static void begin(void)
{
    if (access("/sys/kernel/mm/ksm/.tree", F_OK)) {
        fputs("hasten: this is no tree, KSM's files are the kernel's\n", stderr);
        _exit(99);
    }
    control = number("HASTEN_CONTROL", -1);
    uevents = number("HASTEN_UEVENTS", -1);
    every = (uint64_t)number("HASTEN_EVERY", 100);
}

static void later(const struct timespec *span)
{
    ahead += span->tv_sec * (int64_t)SECOND + span->tv_nsec;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    if (syscall(SYS_clock_gettime, clock, t))
        return -1;
    if (clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME || clock == CLOCK_BOOTTIME) {
        int64_t nanoseconds = t->tv_nsec + ahead % SECOND;
        t->tv_sec += ahead / SECOND + nanoseconds / SECOND;
        t->tv_nsec = nanoseconds % SECOND;
    }
    return 0;
}

time_t time(time_t *to)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (to)
        *to = t.tv_sec;
    return t.tv_sec;
}

int nanosleep(const struct timespec *span, struct timespec *rest)
{
    (void)rest;
    later(span);
    return 0;
}

static void stand_still(void)
{
    char byte;
    since = 0;
    if (write(control, &ticks, sizeof ticks) != sizeof ticks || read(control, &byte, 1) != 1)
        _exit(98);                              /* who drives it has ended */
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    struct timespec now = { 0, 0 }, child = { 1, 0 };
    if (count == 1)                             /* for a child that reads for it, in real time */
        return (int)syscall(SYS_ppoll, fds, count, timeout, mask, sizeof(uint64_t));
    if (control >= 0 && ++since >= every)
        stand_still();
    /* The second entry is a child that writes to the kernel: it takes real time. */
    int is_child = count > 1 && fds[1].fd >= 0;
    long got = syscall(SYS_ppoll, fds, count, is_child ? &child : &now, mask, sizeof(uint64_t));
    if (got)
        return (int)got;
    if (!timeout)                               /* nothing would ever come */
        return (int)syscall(SYS_ppoll, fds, count, &child, mask, sizeof(uint64_t));
    later(timeout);
    ticks++;
    return 0;
}

/* --- Uevents --- */

int socket(int family, int type, int protocol)
{
    if (family != AF_NETLINK || uevents < 0)
        return (int)syscall(SYS_socket, family, type, protocol);
    heard = fcntl(uevents, F_DUPFD_CLOEXEC, 3);
    if (heard >= 0)
        fcntl(heard, F_SETFL, O_NONBLOCK);
    return heard;
}

int bind(int number, const struct sockaddr *address, socklen_t length)
{
    return number == heard && heard >= 0 ? 0 : (int)syscall(SYS_bind, number, address, length);
}

ssize_t recvfrom(int number, void *buffer, size_t size, int flags, struct sockaddr *sender, socklen_t *length)
{
    if (number != heard || heard < 0 || !sender)
        return syscall(SYS_recvfrom, number, buffer, size, flags, sender, length);
    ssize_t got = syscall(SYS_recvfrom, number, buffer, size, flags, NULL, NULL);
    if (got >= 0) {
        *(struct sockaddr_nl *)sender = (struct sockaddr_nl){ .nl_family = AF_NETLINK, .nl_groups = 1 };
        *length = sizeof(struct sockaddr_nl);
    }
    return got;
}
