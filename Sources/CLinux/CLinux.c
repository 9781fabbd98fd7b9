#define _GNU_SOURCE
#include "CLinux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

int linux_write_in_child(const char *path, const char *text, pid_t *child) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return -1;
    *child = fork();
    if (*child < 0) {
        int error = errno;
        close(ends[0]);
        close(ends[1]);
        errno = error;
        return -1;
    }
    if (*child > 0) {
        close(ends[1]);
        return ends[0];
    }
    /* The child may outlive the daemon: it must hold neither the lock of the pid file nor the daemon's name. */
    prctl(PR_SET_NAME, "ksmtuned-write");
    /* The daemon's signals stay blocked: one that is sent to the whole unit must not undo a write under way. */
    if (dup2(ends[1], 3) < 0 || syscall(SYS_close_range, 4u, ~0u, 0u) < 0)
        for (int i = 4; i < 1024; i++) close(i);
    int file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    ssize_t length = (ssize_t)strlen(text);
    _exit(file >= 0 && write(file, text, (size_t)length) == length ? 0 : (errno ? errno : EIO));
}

int linux_child_result(pid_t child) {
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

const char *const *linux_environment(void) {
    return (const char *const *)environ;
}

void linux_allow_all_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
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
