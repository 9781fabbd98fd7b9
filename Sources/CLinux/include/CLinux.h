/* What Linux offers and Swift's Glibc module does not show: calls behind _GNU_SOURCE, and fork. */
#pragma once
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* getdents64(2). */
ssize_t linux_getdents64(int directory, void *buffer, size_t size);

/* Blocks the signals for good and returns a descriptor to take them from, or -1. */
int linux_signals_open(const int *signals, int count);

/* renameat2(2) with RENAME_EXCHANGE: each name gets the other's file. */
int linux_exchange(const char *left, const char *right);

/* The signals that came since the last call, as bits 1 << number; 0 for none. */
uint64_t linux_signals_take(int descriptor);

/* ppoll(2) for up to `nanoseconds`, for ever if negative. Unlike poll(2)'s, its time-out has no coarse unit. */
int linux_wait(struct pollfd *descriptors, unsigned count, int64_t nanoseconds);

/* Opens a non-blocking netlink(7) socket that hears the kernel announce virtual machines of KVM, and returns it, or -1.
 * Takes no capability. The kernel lets `receive_buffer` bytes be at most net.core.rmem_max. */
int linux_uevents_open(int receive_buffer);

/* Takes one message. Returns its length, 0 for one that is not from the kernel, or -1 (EAGAIN: there is none). */
ssize_t linux_uevent_take(int socket, void *buffer, size_t size);

/* Starts a child that writes `text` into the file `path` and ends. Returns a descriptor that becomes readable when
 * the child has ended, or -1; `*child` receives its pid. */
int linux_write_in_child(const char *path, const char *text, pid_t *child);

/* A child that reads the beginning of a file of one process after the other. It runs in the memory of its parent. */
struct linux_reading;

/* Starts it: for each process it reads `size` bytes of the file `name`, by a descriptor of /proc. Returns NULL, and errno,
 * where no child could be started. */
struct linux_reading *linux_reading_begin(int folder, const int32_t *processes, unsigned count, const char *name,
                                          size_t size);

/* A descriptor that becomes readable when the child has ended. */
int linux_reading_descriptor(const struct linux_reading *reading);

/* How much it has read of one, minus an errno, or INT32_MIN: nothing yet. */
int32_t linux_reading_length(const struct linux_reading *reading, unsigned index);

/* What it has read of one. */
const void *linux_reading_bytes(const struct linux_reading *reading, unsigned index);

/* Kills it. */
void linux_reading_stop(const struct linux_reading *reading);

/* Gives back what it took, and takes the result of one that has ended, as linux_child_result() does. What has not ended has
 * none, 0, and keeps its memory. */
int linux_reading_end(struct linux_reading *reading, int has_ended);

/* Takes the child's result: 0, the errno of its failure, or minus the signal that ended it. */
int linux_child_result(pid_t child);

/* The process's arguments with its name, as the kernel gave them to it, NULL at their end. *count receives how many. */
const char *const *linux_arguments(int *count);

/* The process's environment, NULL at its end. */
const char *const *linux_environment(void);

/* Takes a record lock for writing on a whole file, for this process: fcntl(2), F_SETLK. Returns 0, or -1 with errno:
 * EAGAIN where somebody has one. */
int linux_lock_take(int descriptor);

/* Asks who has a record lock on a file, without taking one. Returns 1 with *holder, which is no pid where the kernel does
 * not name one; 0 for nobody; or -1. */
int linux_lock_holder(int descriptor, pid_t *holder);

/* Sleeps; a signal does not end it. */
void linux_sleep(int64_t nanoseconds);

/* Gives a thread a policy of sched(7) that needs no priority: sched_setscheduler(2). Its nice value stays. Returns 0, or
 * -1. */
int linux_set_policy(pid_t thread, int policy);

/* Gives a thread a nice value: setpriority(2). Returns 0, or -1. */
int linux_set_nice(pid_t thread, int nice);

/* The two parts of a device's number: makedev(3). */
unsigned linux_major(dev_t device);
unsigned linux_minor(dev_t device);

/* Moves this thread to one processor, and with it children that it starts there, until linux_move_back. Returns 0, or -1
 * where it may not run there: then it stays. */
int linux_move_to(int processor);

/* Lets this thread run where it might before linux_move_to. */
void linux_move_back(void);

/* Whether this thread may use a capability now: 1 or 0. */
int linux_has_capability(int number);

/* Raises the soft limit of open descriptors to the hard one. */
void linux_allow_all_descriptors(void);

/* How many descriptors this process may have open. */
long linux_descriptor_limit(void);

/* Has large blocks returned to the system when they are freed, always. By itself the C library raises its limit of
 * what is large with each block that is freed. */
void linux_return_large_blocks(void);

/* Drops the pages that only start-up needed: clean file pages of the mapped programs from this process's page table
 * (they are mapped again when touched), and free heap. */
void linux_release_startup_memory(void);
