/* The least that a daemon of this kind must do at each tick, to compare with: the same reads, in C, and the write of
 * run=0. It decides nothing and tells nothing.   minimal [ROOT [MILLISECONDS]]   SIGUSR1 is a tick, SIGTERM ends.
 * With MILLISECONDS it reads so often the host's memory and the guests', and nothing else, as the adaptive policy at rest. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { FILES = 6, MOST = 1 << 16 };
static const char *const names[FILES] = {
    "proc/meminfo", "sys/kernel/mm/ksm/run", "sys/kernel/mm/ksm/pages_to_scan", "sys/kernel/mm/ksm/sleep_millisecs",
    "sys/kernel/mm/ksm/pages_sharing", "sys/kernel/mm/ksm/ksm_zero_pages",
};
static int files[FILES], proc, known[MOST], present[MOST], knowns, statm[MOST], guests;
static char text[16384], records[32768], run[4096];

static int opened(int pid, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "%d/%s", pid, name);
    return openat(proc, path, O_RDONLY | O_CLOEXEC);
}

static void look(int pid) {
    char comm[64];
    int file = opened(pid, "comm");
    if (file < 0) return;
    ssize_t n = read(file, comm, sizeof comm);
    close(file);
    if (n > 12 && !memcmp(comm, "qemu-system-", 12)) statm[guests++] = opened(pid, "statm");
}

static long residents(void) {
    long sum = 0;
    for (int i = 0; i < guests; i++) {
        ssize_t n = pread(statm[i], text, 127, 0);
        text[n > 0 ? n : 0] = 0;
        char *resident = strchr(text, ' ');
        if (resident) sum += atol(resident);
    }
    return sum;
}

static long tick(void) {
    long sum = 0;
    for (int i = 0; i < FILES; i++) {
        ssize_t n = pread(files[i], text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = 0;
        if (i > 0) { sum += atol(text); continue; }
        for (char *line = text; line && *line; line = (line = strchr(line, '\n')) ? line + 1 : NULL)
            if (!strncmp(line, "MemFree:", 8) || !strncmp(line, "Buffers:", 8)) sum += atol(line + 8);
            else if (!strncmp(line, "Cached:", 7)) sum += atol(line + 7);
    }
    int count = 0, old = 0;
    ssize_t length;
    lseek(proc, 0, SEEK_SET);
    while ((length = getdents64(proc, records, sizeof records)) > 0)
        for (ssize_t at = 0; at < length && count < MOST;) {
            struct dirent64 *entry = (void *)(records + at);
            if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') present[count++] = atoi(entry->d_name);
            at += entry->d_reclen;
        }
    for (int i = 0; i < count; i++) {
        while (old < knowns && known[old] < present[i]) old++;
        if (old == knowns || known[old] != present[i]) look(present[i]);
    }
    memcpy(known, present, count * sizeof *known);
    knowns = count;
    sum += residents();
    int file = open(run, O_WRONLY | O_CLOEXEC);
    if (file >= 0 && write(file, "0\n", 2) == 2) close(file);
    return sum;
}

int main(int argc, char **argv) {
    char path[4096];
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s/%s", argc > 1 ? argv[1] : "", names[i]);
        files[i] = open(path, O_RDONLY | O_CLOEXEC);
    }
    snprintf(path, sizeof path, "%s/proc", argc > 1 ? argv[1] : "");
    proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(run, sizeof run, "%s/%s", argc > 1 ? argv[1] : "", names[1]);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct pollfd signals = { signalfd(-1, &set, SFD_CLOEXEC), POLLIN, 0 };
    tick();
    for (;;) {
        struct signalfd_siginfo info;
        if (poll(&signals, 1, argc > 2 ? atoi(argv[2]) : 60000) == 0) {
            pread(files[0], text, sizeof text - 1, 0);
            residents();
            continue;
        }
        if (read(signals.fd, &info, sizeof info) != sizeof info || info.ssi_signo == SIGTERM) return 0;
        tick();
    }
}
