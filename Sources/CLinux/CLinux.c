#define _GNU_SOURCE
#include "CLinux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

ssize_t linux_getdents64(int directory, void *buffer, size_t size) {
    return getdents64(directory, buffer, size);
}

int linux_exchange(const char *left, const char *right) {
    return renameat2(AT_FDCWD, left, AT_FDCWD, right, RENAME_EXCHANGE);
}

int linux_signals_open(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

uint64_t linux_signals_take(int descriptor) {
    struct signalfd_siginfo info;
    uint64_t taken = 0;
    while (read(descriptor, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo < 64) taken |= UINT64_C(1) << info.ssi_signo;
    return taken;
}

int linux_wait(struct pollfd *descriptors, unsigned count, int64_t nanoseconds) {
    struct timespec timeout = { nanoseconds / 1000000000, nanoseconds % 1000000000 };
    return ppoll(descriptors, count, nanoseconds < 0 ? NULL : &timeout, NULL);
}

int linux_uevents_open(int receive_buffer) {
    int number = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
    if (number < 0) return -1;
    /* Messages of all devices come to this group, tens for each virtual machine that starts: those that do not begin
     * like KVM's must neither wake the daemon nor take room of those that do. A load brings big-endian words. */
    struct sock_filter program[] = {
#define DIFFERS_AT(offset, word, left) \
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word, 0, left)
        DIFFERS_AT(0, 0x6368616e, 15),                                    /* chan */
        DIFFERS_AT(4, 0x6765402f, 13),                                    /* ge@/ */
        DIFFERS_AT(8, 0x64657669, 11),                                    /* devi */
        DIFFERS_AT(12, 0x6365732f, 9),                                    /* ces/ */
        DIFFERS_AT(16, 0x76697274, 7),                                    /* virt */
        DIFFERS_AT(20, 0x75616c2f, 5),                                    /* ual/ */
        DIFFERS_AT(24, 0x6d697363, 3),                                    /* misc */
        DIFFERS_AT(28, 0x2f6b766d, 1),                                    /* /kvm */
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
#undef DIFFERS_AT
    };
    struct sock_fprog filter = { sizeof program / sizeof *program, program };
    struct sockaddr_nl kernel_group = { .nl_family = AF_NETLINK, .nl_groups = 1 };
    /* Without a filter or with a smaller buffer it works as well, only not as well under load. */
    setsockopt(number, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
    setsockopt(number, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (bind(number, (struct sockaddr *)&kernel_group, sizeof kernel_group) < 0) {
        int error = errno;
        close(number);
        errno = error;
        return -1;
    }
    return number;
}

ssize_t linux_uevent_take(int socket, void *buffer, size_t size) {
    struct sockaddr_nl sender = { 0 };
    socklen_t length = sizeof sender;
    ssize_t got = recvfrom(socket, buffer, size, 0, (struct sockaddr *)&sender, &length);
    if (got < 0) return -1;
    return length == sizeof sender && sender.nl_family == AF_NETLINK && sender.nl_pid == 0 ? got : 0;
}

/* Parts a pipe between parent and child, behind its start: the one end that is left, the parent's, becomes readable when the
 * child has ended. Returns it, or -1 where there is no child. */
static int part(const int ends[2], pid_t child) {
    int error = errno;
    close(ends[1]);
    if (child > 0) return ends[0];
    close(ends[0]);
    errno = error;
    return -1;
}

int linux_write_in_child(const char *path, const char *text, pid_t *child) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return -1;
    *child = fork();
    if (*child != 0) return part(ends, *child);
    /* The child may outlive the daemon: it must not have the daemon's name, nor its files. */
    prctl(PR_SET_NAME, "ksmtuned-write");
    /* The daemon's signals stay blocked: one that is sent to the whole unit must not undo a write under way. */
    if (dup2(ends[1], 3) < 0) _exit(errno);
    if (syscall(SYS_close_range, 4u, ~0u, 0u) < 0)
        for (long i = 4, most = sysconf(_SC_OPEN_MAX); i < most; i++) close((int)i);
    /* In a tree that stands for a host it may be a pipe, for whose reader the open would wait. The write may take long:
     * to wait for it is what the child is for. */
    int file = open(path, O_WRONLY | O_TRUNC | O_NONBLOCK | O_CLOEXEC);
    if (file >= 0) fcntl(file, F_SETFL, 0);
    if (file < 0) _exit(errno);
    ssize_t length = (ssize_t)strlen(text), written = write(file, text, (size_t)length);
    _exit(written == length ? 0 : written < 0 ? errno : EIO);
}

static int32_t read_beginning(const char *path, unsigned char *bytes, size_t size) {
    /* Whatever the open and the read wait for: the child is there to be killed meanwhile. */
    int file = openat(4, path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (file < 0) return -errno;
    size_t length = 0;
    ssize_t got = 0;
    while (length < size) {
        got = read(file, bytes + length, size - length);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        length += (size_t)got;
    }
    int error = errno;
    close(file);
    return got < 0 ? -error : (int32_t)length;
}

enum { READER_STACK = 64 * 1024 };

/* What the child is told, at the beginning of the memory that is mapped for it; its stack is the end. */
struct linux_reading {
    size_t mapped, size;
    unsigned count;
    int folder, end, child_end;
    pid_t child;
    char name[32];
    const int32_t *processes;
    int32_t *lengths;
    unsigned char *bytes;
};

/* In the child: it calls nothing that takes a lock or memory, since it has those of its parent. */
static int read_all(void *argument) {
    struct linux_reading *reading = argument;
    prctl(PR_SET_NAME, "ksmtuned-read");
    /* Whoever reads is nobody's without the one that asked, and no file of that one's is its own. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int own_end = fcntl(reading->child_end, F_DUPFD, 5);
    if (own_end < 0 || dup2(reading->folder, 4) < 0 || dup2(own_end, 3) < 0) return errno;
    syscall(SYS_close_range, 5u, ~0u, 0u);
    for (unsigned i = 0; i < reading->count; i++) {
        char path[64];
        snprintf(path, sizeof path, "%d/%s", (int)reading->processes[i], reading->name);
        int32_t length = read_beginning(path, reading->bytes + i * reading->size, reading->size);
        __atomic_store_n(&reading->lengths[i], length, __ATOMIC_RELEASE);
    }
    return 0;
}

static size_t aligned(size_t size) { return (size + 15) & ~(size_t)15; }

struct linux_reading *linux_reading_begin(int folder, const int32_t *processes, unsigned count, const char *name,
                                          size_t size) {
    size_t numbers = aligned(count * sizeof *processes), head = aligned(sizeof(struct linux_reading));
    size_t mapped = head + 2 * numbers + aligned(count * size) + READER_STACK;
    unsigned char *memory = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    struct linux_reading *reading = (struct linux_reading *)memory;
    *reading = (struct linux_reading){
        .mapped = mapped, .size = size, .count = count, .folder = folder, .lengths = (int32_t *)(memory + head),
        .processes = memcpy(memory + head + numbers, processes, count * sizeof *processes),
        .bytes = memory + head + 2 * numbers,
    };
    strncpy(reading->name, name, sizeof reading->name - 1);
    for (unsigned i = 0; i < count; i++) reading->lengths[i] = INT32_MIN;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == 0) {
        reading->child_end = ends[1];
        /* A fork would copy the page tables and then each page that either of the two writes, which takes longer than
         * all that is read. The two share one errno: until the child has ended, the parent asks it of one wait alone. */
        reading->child = clone(read_all, memory + mapped, CLONE_VM | SIGCHLD, reading);
        reading->end = part(ends, reading->child);
        if (reading->end >= 0) return reading;
    }
    int error = errno;
    munmap(memory, mapped);
    errno = error;
    return NULL;
}

int linux_reading_descriptor(const struct linux_reading *reading) { return reading->end; }

int32_t linux_reading_length(const struct linux_reading *reading, unsigned index) {
    return __atomic_load_n(&reading->lengths[index], __ATOMIC_ACQUIRE);
}

const void *linux_reading_bytes(const struct linux_reading *reading, unsigned index) {
    return reading->bytes + index * reading->size;
}

void linux_reading_stop(const struct linux_reading *reading) { kill(reading->child, SIGKILL); }

int linux_reading_end(struct linux_reading *reading, int has_ended) {
    close(reading->end);
    /* The kernel may still write there for a child that it does not let go. */
    if (!has_ended) return 0;
    int result = linux_child_result(reading->child);
    munmap(reading, reading->mapped);
    return result;
}

int linux_child_result(pid_t child) {
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int argument_count;
static char **argument_vector;

/* The C library hands what the kernel put on the stack to every constructor. Other ways to it depend on /proc, or on
 * where the environment lies, which any library may have moved by then. */
__attribute__((constructor)) static void keep_arguments(int count, char **vector, char **environment) {
    (void)environment;
    argument_count = count;
    argument_vector = vector;
}

const char *const *linux_arguments(int *count) {
    *count = argument_count;
    return (const char *const *)argument_vector;
}

const char *const *linux_environment(void) {
    return (const char *const *)environ;
}

static struct flock whole_file(void) {
    return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

int linux_lock_take(int descriptor) {
    struct flock lock = whole_file();
    int result;
    while ((result = fcntl(descriptor, F_SETLK, &lock)) < 0 && errno == EINTR) {}
    if (result < 0 && errno == EACCES) errno = EAGAIN;
    return result;
}

int linux_lock_holder(int descriptor, pid_t *holder) {
    /* A question of an open file description's: the lock of this very process would be in its way, too. */
    struct flock lock = whole_file();
    if (fcntl(descriptor, F_OFD_GETLK, &lock) < 0) return -1;
    *holder = lock.l_pid;
    return lock.l_type != F_UNLCK;
}

void linux_sleep(int64_t nanoseconds) {
    struct timespec rest = { nanoseconds / 1000000000, nanoseconds % 1000000000 };
    while (nanosleep(&rest, &rest) < 0 && errno == EINTR) {}
}

int linux_set_policy(pid_t thread, int policy) {
    const struct sched_param none = { .sched_priority = 0 };
    return sched_setscheduler(thread, policy, &none);
}

int linux_set_nice(pid_t thread, int nice) {
    return setpriority(PRIO_PROCESS, (id_t)thread, nice);
}

unsigned linux_major(dev_t device) { return major(device); }

unsigned linux_minor(dev_t device) { return minor(device); }

static cpu_set_t processors;

int linux_move_to(int processor) {
    cpu_set_t one;
    if (processor < 0 || processor >= CPU_SETSIZE) {
        errno = EINVAL;
        return -1;
    }
    if (sched_getaffinity(0, sizeof processors, &processors) < 0) return -1;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    return sched_setaffinity(0, sizeof one, &one);
}

void linux_move_back(void) {
    if (sched_setaffinity(0, sizeof processors, &processors) == 0) return;
    /* They can all have been taken away meanwhile: then any that may be had. */
    memset(&processors, 0xff, sizeof processors);
    sched_setaffinity(0, sizeof processors, &processors);
}

int linux_has_capability(int number) {
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { 0 };
    if (number < 0 || number >= 64 || syscall(SYS_capget, &header, data) < 0) return 0;
    return (data[number / 32].effective >> (number % 32)) & 1;
}

void linux_allow_all_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

long linux_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return LONG_MAX;
    return limit.rlim_cur > LONG_MAX ? LONG_MAX : (long)limit.rlim_cur;
}

void linux_return_large_blocks(void) {
    mallopt(M_MMAP_THRESHOLD, 64 * 1024);
}

static int release_read_only_segments(struct dl_phdr_info *object, size_t size, void *page) {
    uintptr_t mask = ~(*(uintptr_t *)page - 1);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        /* A writable segment holds changed pages, also those that became read-only after relocation. */
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W)) continue;
        uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & mask;
        uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_filesz) & mask;
        if (end > start) madvise((void *)start, end - start, MADV_DONTNEED);
    }
    (void)size;
    return 0;
}

void linux_release_startup_memory(void) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    malloc_trim(0);
    dl_iterate_phdr(release_read_only_segments, &page);
}
