/* Runs a program whose system calls fail on demand, in a time of its own, where the real KSM cannot be seen.
 *
 *     inject -i COMMANDS -o EVENTS [-r ROOT | -w UEVENTS -p PROC] [-l LOG] [-f RULE] [-k PID] PROGRAM ARGUMENT...
 *
 * Each system call of the program and its children from its entry on (so not those of the dynamic loader) is traced and
 * written to LOG: step, "main" or "child", name, number among the calls of this name on this path, path, result, and the
 * flags of open(2), with tabs between. ROOT is shown as "~" in paths, a folder above it as "^".
 *
 * RULE is "once" or "lasting", the name, the number of the call among those of this name on this path, what happens, and
 * the path, with blanks between: "once read 3 5 ~/proc/meminfo". What happens is an errno, or "short": the call is
 * given one byte to read, or half of what it would write. A lasting rule holds for that call and all later ones.
 *
 * With -w a tree lies over the host's own folders already (shared/world.py), and the program finds it there: "~" is
 * then the host's root, as far as the tree goes. PROC is a descriptor of the real /proc. Something stands in for what a
 * tree has not: the datagrams of descriptor UEVENTS come as the kernel's uevents from a netlink(7) socket, and
 * /proc/self/stat begins with the program's number.
 *
 * A signal reaches only PID, the program itself and its children; any other is "stray PID", and ESRCH. Nor is another
 * process scheduled anew: that is "policy PID NUMBER" or "nice PID NUMBER", and waits for a line, by when the tree has
 * it.
 *
 * Files in ROOT/sys are the kernel's: to open one does not empty it, and a write that fails leaves it as it is.
 *
 * The clocks stand still, and the wait of ppoll(2) does not happen. Where it would, "idle NANOSECONDS" (-1 for ever)
 * goes to descriptor EVENTS, and commands are read from descriptor COMMANDS until one lets the program go on:
 *     step NAME   for the log
 *     lift        the rule ends
 *     again       look again, as after a change of files
 *     signal N    send it, and look again
 *     poll N BITS what is waited for in this place is ready in this way; look again where nothing is
 *     advance     the time has passed
 * The last line there is "exit STATUS", "killed SIGNAL", or "hang NAME" after LIMIT seconds without a stop, or CALLS
 * system calls without an idle one. "hit" says that a call was the rule's. 99 is the status where the real KSM can be
 * seen, or this program failed itself. x86-64 only: registers. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KSM "/sys/kernel/mm/ksm"
enum { LIMIT = 20, CALLS = 200000, PROCESSES = 64, KEYS = 4096 };
enum { NOTHING, FD, PATH, AT };                 /* where the path is: nowhere, a descriptor, the first argument, the second */

static const struct call { long number; const char *name; int place; } calls[] = {
#define C(name, place) {__NR_##name, #name, place}
    C(open, PATH), C(openat, AT), C(read, FD), C(pread64, FD), C(readv, FD), C(write, FD), C(pwrite64, FD), C(writev, FD),
    C(close, FD), C(lseek, FD), C(stat, PATH), C(lstat, PATH), C(fstat, FD), C(newfstatat, AT), C(statx, AT),
    C(access, PATH), C(faccessat, AT), C(faccessat2, AT), C(readlink, PATH), C(readlinkat, AT), C(getdents64, FD),
    C(ftruncate, FD), C(fallocate, FD), C(fsync, FD), C(fdatasync, FD), C(flock, FD), C(fcntl, FD), C(ioctl, FD),
    C(rename, PATH), C(renameat, AT), C(renameat2, AT), C(unlink, PATH), C(unlinkat, AT), C(mkdir, PATH), C(mkdirat, AT),
    C(rmdir, PATH), C(link, PATH), C(linkat, AT), C(symlink, PATH), C(symlinkat, NOTHING), C(chmod, PATH), C(fchmod, FD),
    C(fchmodat, AT), C(chown, PATH), C(fchown, FD), C(statfs, PATH), C(fstatfs, FD), C(getcwd, NOTHING), C(openat2, AT),
    C(dup, FD), C(dup2, FD), C(dup3, FD), C(fadvise64, FD), C(truncate, PATH), C(mknod, PATH), C(mknodat, AT),
    C(signalfd4, NOTHING), C(ppoll, NOTHING), C(poll, NOTHING), C(pipe2, NOTHING), C(eventfd2, NOTHING),
    C(clone, NOTHING), C(clone3, NOTHING), C(fork, NOTHING), C(vfork, NOTHING), C(wait4, NOTHING), C(waitid, NOTHING),
    C(kill, NOTHING), C(pidfd_open, NOTHING), C(pidfd_send_signal, NOTHING), C(execve, PATH),
    C(socket, NOTHING), C(bind, FD), C(connect, FD), C(sendto, FD), C(sendmsg, FD), C(recvfrom, FD), C(recvmsg, FD),
    C(setsockopt, FD), C(getsockopt, FD), C(getsockname, FD), C(getpeername, FD), C(close_range, NOTHING),
    C(prlimit64, NOTHING), C(getrlimit, NOTHING), C(setrlimit, NOTHING), C(prctl, NOTHING), C(sysinfo, NOTHING),
    C(sched_getaffinity, NOTHING), C(sched_setaffinity, NOTHING), C(sched_setscheduler, NOTHING),
    C(setpriority, NOTHING),
    C(capget, NOTHING), C(getrandom, NOTHING), C(uname, NOTHING),
    C(nanosleep, NOTHING), C(clock_nanosleep, NOTHING), C(madvise, NOTHING), C(memfd_create, NOTHING),
    C(mmap, NOTHING),                           /* of a child's memory; see entry() */
};
/* What a tree has of a host. */
static const char *const places[] = {"/proc", "/sys", "/run", "/var", "/etc"};

struct process { pid_t pid; int started, isInside; const struct call *call; long result, number; int isForced, isChanged; char path[4200];
                 struct user_regs_struct before; };
static struct process processes[PROCESSES], *first;
static int count, isTraced, ruleHolds, isLasting, isShort, parked;
static long ruleNth, ruleResult, sinceIdle;
static const char *root = "", *ruleName;
static char rulePath[4200], step[64] = "start";
static int eventNumber = -1, commandNumber = -1, mayBeSignalled, isWorld, ueventNumber = -1, procNumber = -1;
static FILE *logFile, *commands, *events;
static struct timespec wanted;
static long long passed, waited;
static struct { char *key; long seen; } keys[KEYS];

static void die(const char *what) {
    fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
    if (first && first->pid > 0) kill(first->pid, SIGKILL);
    exit(99);
}

static void event(const char *format, ...) {
    va_list list;
    va_start(list, format);
    vfprintf(events, format, list);
    va_end(list);
    fflush(events);
}

/* A mount namespace without the real KSM; as somebody else than root in a user namespace, too. */
static void hide(void) {
    uid_t user = getuid();
    gid_t group = getgid();
    if (isWorld) {
        if (access(KSM "/.tree", F_OK) || access("/proc/.tree", F_OK)) die("no tree lies over the host");
        return;
    }
    if (unshare(CLONE_NEWNS | (user ? CLONE_NEWUSER : 0))) die("no namespace of its own can be made here");
    if (user) {
        const char *files[] = {"/proc/self/setgroups", "/proc/self/uid_map", "/proc/self/gid_map"};
        char texts[3][64] = {"deny"};
        sprintf(texts[1], "0 %u 1", user);
        sprintf(texts[2], "0 %u 1", group);
        for (int i = 0; i < 3; i++) {
            int file = open(files[i], O_WRONLY);
            if (file < 0 || write(file, texts[i], strlen(texts[i])) < 0) die(files[i]);
            close(file);
        }
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) die("mounts cannot be made private");
    if (!access(KSM, F_OK) && mount("none", KSM, "tmpfs", MS_RDONLY, NULL)) die(KSM " cannot be hidden");
    if (!access(KSM "/run", F_OK)) { errno = EEXIST; die("the real KSM can be seen"); }
}

static void get(pid_t pid, unsigned long from, void *to, size_t size) {
    struct iovec here = {to, size}, there = {(void *)from, size};
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) != (ssize_t)size) die("memory cannot be read");
}

static void put(pid_t pid, unsigned long to, const void *from, size_t size) {
    struct iovec here = {(void *)from, size}, there = {(void *)to, size};
    if (process_vm_writev(pid, &here, 1, &there, 1, 0) != (ssize_t)size) die("memory cannot be written");
}

static void text(pid_t pid, unsigned long from, char *to, size_t size) {
    size_t at = 0;
    while (at < size - 1) {                     /* page by page: the next one may not be there */
        size_t part = 4096 - (from + at) % 4096;
        if (part > size - 1 - at) part = size - 1 - at;
        struct iovec here = {to + at, part}, there = {(void *)(from + at), part};
        ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
        if (got <= 0) break;
        if (memchr(to + at, 0, got)) return;
        at += got;
    }
    to[at] = 0;
}

static struct process *find(pid_t pid) {
    for (int i = 0; i < count; i++) if (processes[i].pid == pid) return &processes[i];
    for (int i = 0; i < count; i++) if (processes[i].pid == -1) {
        memset(&processes[i], 0, sizeof *processes);
        processes[i].pid = pid;
        return &processes[i];
    }
    if (count == PROCESSES) { errno = EAGAIN; die("too many processes"); }
    memset(&processes[count], 0, sizeof *processes);
    processes[count].pid = pid;
    return &processes[count++];
}

static int children(void) {
    int living = 0;
    for (int i = 0; i < count; i++) living += processes[i].pid > 0 && &processes[i] != first;
    return living;
}

static void descriptor(struct process *p, int number, char raw[4096]) {
    char link[64];
    sprintf(link, "%d/fd/%d", p->pid, number);
    ssize_t length = readlinkat(procNumber, link, raw, 4095);
    raw[length < 0 ? 0 : length] = 0;
    if (number >= 0 && number <= 2) strcpy(raw, (const char *[]){"stdin", "stdout", "stderr"}[number]);
    if (raw[0] != '/' && strchr(raw, '[') && !strchr(raw, '_')) *strchr(raw, '[') = 0;
}

/* The path of a call, with "~" for the root, and without the numbers of pipes and sockets. */
static void locate(struct process *p, const struct user_regs_struct *r) {
    char raw[4096] = "";
    if (p->call->place == FD) descriptor(p, r->rdi, raw);
    else if (p->call->place == PATH) text(p->pid, r->rdi, raw, sizeof raw);
    else if (p->call->place == AT) {
        if (r->rsi) text(p->pid, r->rsi, raw, sizeof raw);
        if (raw[0] != '/' && (int)r->rdi != AT_FDCWD) {         /* below a folder that is open, or AT_EMPTY_PATH */
            char folder[4096];
            descriptor(p, r->rdi, folder);
            size_t length = strlen(folder);
            if (raw[0] && length < sizeof folder - 1) folder[length++] = '/';
            snprintf(folder + length, sizeof folder - length, "%s", raw);
            strcpy(raw, folder);
        }
    }
    size_t length = strlen(root);
    char self[64];
    size_t own = sprintf(self, "/proc/%d/", p->pid);
    const char *place = NULL;
    for (size_t i = 0; isWorld && i < sizeof places / sizeof *places; i++) {
        size_t part = strlen(places[i]);
        if (!strncmp(raw, places[i], part) && (!raw[part] || raw[part] == '/')) place = places[i];
    }
    if (place) snprintf(p->path, sizeof p->path, "~%s", raw);
    else if (length && !strncmp(raw, root, length)) snprintf(p->path, sizeof p->path, "~%s", raw + length);
    else if (raw[0] && length && !strncmp(raw, root, strlen(raw))) strcpy(p->path, "^");
    else if (!strncmp(raw, self, own)) snprintf(p->path, sizeof p->path, "/proc/self/%s", raw + own);
    else snprintf(p->path, sizeof p->path, "%s", raw);
    for (char *c = p->path; *c; c++) if (*c == '\t' || *c == '\n') *c = '?';
}

/* Whether it is the program itself or a child of it. */
static int isTheirs(pid_t pid) {
    for (int i = 0; i < count; i++) if (processes[i].pid == pid) return 1;
    return 0;
}

/* Which one it is among the calls of this name on this path. */
static long nth(struct process *p) {
    char key[4300];
    snprintf(key, sizeof key, "%s %s", p->call->name, p->path);
    int i = 0;
    while (i < KEYS - 1 && keys[i].key && strcmp(keys[i].key, key)) i++;
    if (!keys[i].key) keys[i].key = strdup(key);
    return ++keys[i].seen;
}

static struct timespec moment(long clock) {
    struct timespec time = {(clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? 1800000000 : 1000000), 0};
    time.tv_sec += passed / 1000000000;
    time.tv_nsec += passed % 1000000000;
    return time;
}

static void set(struct process *p, struct user_regs_struct *r) {
    p->isChanged = 1;
    ptrace(PTRACE_SETREGS, p->pid, 0, r);
}

/* Another call in the place of one. */
static void force(struct process *p, struct user_regs_struct *r, long result) {
    p->isForced = 1;
    p->result = result;
    r->orig_rax = -1;
    set(p, r);
}

/* A thread that is not the program's is to be scheduled anew: who drives it writes that to the tree. */
static void schedule(struct process *p, struct user_regs_struct *r, const char *what, int pid, int number) {
    char line[256];
    event("%s %d %d\n", what, pid, number);
    if (!fgets(line, sizeof line, commands)) { kill(first->pid, SIGKILL); exit(0); }
    force(p, r, 0);
}

/* Whether it is about netlink(7), and the kernel's place is taken. */
static int hear(struct process *p, struct user_regs_struct *r) {
    unsigned short family = 0;
    if (!isWorld) return 0;
    if (r->orig_rax == __NR_socket && r->rdi == AF_NETLINK) {
        r->orig_rax = __NR_fcntl;
        r->rdi = ueventNumber;
        r->rsi = F_DUPFD_CLOEXEC;
        r->rdx = 3;
        set(p, r);
    } else if (r->orig_rax == __NR_bind) {
        get(p->pid, r->rsi, &family, sizeof family);
        if (family == AF_NETLINK) force(p, r, 0);
    } else return 0;
    return 1;
}

static void entry(struct process *p) {
    struct user_regs_struct r;
    if (ptrace(PTRACE_GETREGS, p->pid, 0, &r)) return;
    p->before = r;
    p->isInside = 1;
    p->isForced = p->isChanged = 0;
    p->call = NULL;
    if (!isTraced) return;
    if (++sinceIdle > CALLS) { event("hang spinning\n"); kill(first->pid, SIGKILL); exit(0); }
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) if (calls[i].number == (long)r.orig_rax) p->call = &calls[i];
    if (r.orig_rax == __NR_mmap && !(r.r10 & MAP_NORESERVE && r.rdx & PROT_WRITE)) p->call = NULL;
    if (!p->call) {
        snprintf(p->path, sizeof p->path, "%ld", (long)r.orig_rax);
        return;
    }
    long number = 0;
    int mayBeSetting = r.orig_rax == __NR_write || (r.orig_rax == __NR_openat && r.rdx & O_TRUNC);
    p->path[0] = 0;
    if (mayBeSetting || logFile || (ruleHolds && !strcmp(p->call->name, ruleName))) {
        locate(p, &r);
        number = p->number = nth(p);
    }
    int isSetting = mayBeSetting && !strncmp(p->path, "~/sys/", 6);
    int isWait = r.orig_rax == __NR_ppoll && p == first;
    if (ruleHolds && !strcmp(p->call->name, ruleName) && !strcmp(p->path, rulePath)
        && (isLasting ? number >= ruleNth : number == ruleNth)) {
        if (!isLasting) ruleHolds = 0;
        event("hit\n");
        if (isShort) r.rdx = strstr(p->call->name, "read") ? 1 : (r.rdx + 1) / 2;
        else {
            p->isForced = 1;
            p->result = ruleResult;
            if (r.orig_rax != __NR_close) r.orig_rax = -1;      /* close(2) closes, also where it fails */
        }
        set(p, &r);
    } else if ((r.orig_rax == __NR_kill || r.orig_rax == __NR_pidfd_open) && r.rdi && (pid_t)r.rdi != mayBeSignalled
               && !isTheirs(r.rdi)) {
        event("stray %d\n", (int)r.rdi);
        force(p, &r, -ESRCH);
    } else if (r.orig_rax == __NR_sched_setscheduler && r.rdi && !isTheirs(r.rdi)) {
        schedule(p, &r, "policy", r.rdi, r.rsi);
    } else if (r.orig_rax == __NR_setpriority && r.rsi && !isTheirs(r.rsi)) schedule(p, &r, "nice", r.rsi, r.rdx);
    else if (hear(p, &r)) {
    } else if (isSetting && r.orig_rax == __NR_openat) {
        r.rdx &= ~(unsigned long)O_TRUNC;       /* a file of sysfs keeps its value until one is written */
        set(p, &r);
    } else if (isSetting) {
        char whole[8300];
        snprintf(whole, sizeof whole, "%s%s", isWorld ? "" : root, p->path + 1);
        if (truncate(whole, 0)) die(whole);
    } else if (isWait) {
        unsigned long scratch = (r.rsp - 1024) & ~15ul;
        struct timespec none = {0, 0};
        waited = -1;
        if (r.rdx) { get(p->pid, r.rdx, &wanted, sizeof wanted); waited = wanted.tv_sec * 1000000000ll + wanted.tv_nsec; }
        put(p->pid, scratch, &none, sizeof none);
        r.rdx = scratch;
        set(p, &r);
    } else if (r.orig_rax == __NR_nanosleep || r.orig_rax == __NR_clock_nanosleep) {
        get(p->pid, r.orig_rax == __NR_nanosleep ? r.rdi : r.rdx, &wanted, sizeof wanted);
        long long span = wanted.tv_sec * 1000000000ll + wanted.tv_nsec;
        if (r.orig_rax == __NR_clock_nanosleep && r.rsi & TIMER_ABSTIME) {
            struct timespec now = moment(r.rdi);
            span -= now.tv_sec * 1000000000ll + now.tv_nsec;
        }
        if (span > 0) passed += span;
        force(p, &r, 0);
    }
}

/* Whether this entry of ppoll(2) has a descriptor. */
static int isWaitedFor(struct process *p, unsigned long place) {
    struct pollfd entry;
    if (place >= p->before.rsi) return 0;
    get(p->pid, p->before.rdi + place * sizeof entry, &entry, sizeof entry);
    return entry.fd >= 0;
}

/* Whether the program may go on. */
static int idle(struct process *p, struct user_regs_struct *r) {
    char line[256];
    unsigned long place;
    int bits;
    if (children()) { parked = 1; return 0; }   /* it waits for its child, and the clocks do not */
    sinceIdle = 0;
    alarm(0);
    event("idle %lld\n", waited);
    while (fgets(line, sizeof line, commands)) {
        line[strcspn(line, "\n")] = 0;
        if (!strncmp(line, "step ", 5)) snprintf(step, sizeof step, "%.60s", line + 5);
        else if (!strcmp(line, "lift")) ruleHolds = 0;
        else if (!strcmp(line, "advance")) {
            if (waited < 0) { errno = EINVAL; die("a wait without an end has none"); }
            passed += waited;
            return 1;
        } else if (sscanf(line, "poll %lu %d", &place, &bits) == 2 && isWaitedFor(p, place)) {
            short ready = bits;
            unsigned long entry = p->before.rdi + place * sizeof(struct pollfd);
            put(p->pid, entry + offsetof(struct pollfd, revents), &ready, sizeof ready);
            r->rax = 1;
            ptrace(PTRACE_SETREGS, p->pid, 0, r);
            return 1;
        } else {
            if (!strncmp(line, "signal ", 7)) kill(p->pid, atoi(line + 7));
            r->rip -= 2;                        /* the call is made again */
            r->rax = r->orig_rax;
            ptrace(PTRACE_SETREGS, p->pid, 0, r);
            return 1;
        }
    }
    kill(p->pid, SIGKILL);
    exit(0);
}

/* Whether the program may go on. */
static int leave(struct process *p) {
    struct user_regs_struct r, kept;
    long number = p->before.orig_rax;
    p->isInside = 0;
    int isClock = number == __NR_clock_gettime || number == __NR_gettimeofday || number == __NR_time;
    int isHeard = isWorld && number == __NR_recvfrom && p->before.r8;
    if (!logFile && !isClock && !isHeard && !p->isChanged && !p->isForced) return 1;
    if (!isTraced || ptrace(PTRACE_GETREGS, p->pid, 0, &r)) return 1;
    kept = r;
    if (p->isForced) r.rax = p->result;
    r.rdi = p->before.rdi;
    r.rsi = p->before.rsi;
    r.rdx = p->before.rdx;
    r.orig_rax = p->before.orig_rax;
    long result = r.rax;
    if (memcmp(&r, &kept, sizeof r)) ptrace(PTRACE_SETREGS, p->pid, 0, &r);
    if (number == __NR_clock_gettime && !result && p->before.rdi != CLOCK_PROCESS_CPUTIME_ID
        && p->before.rdi != CLOCK_THREAD_CPUTIME_ID) {
        struct timespec now = moment(p->before.rdi);
        put(p->pid, p->before.rsi, &now, sizeof now);
    } else if (number == __NR_gettimeofday && !result && p->before.rdi) {
        struct timespec now = moment(CLOCK_REALTIME);
        long pair[2] = {now.tv_sec, now.tv_nsec / 1000};
        put(p->pid, p->before.rdi, pair, sizeof pair);
    } else if (number == __NR_time) {
        r.rax = moment(CLOCK_REALTIME).tv_sec;
        ptrace(PTRACE_SETREGS, p->pid, 0, &r);
    }
    if (isHeard && result >= 0) {               /* it is the kernel's */
        struct sockaddr_nl kernel = {.nl_family = AF_NETLINK, .nl_groups = 1};
        socklen_t size = sizeof kernel;
        put(p->pid, p->before.r8, &kernel, sizeof kernel);
        put(p->pid, p->before.r9, &size, sizeof size);
    }
    if (number == __NR_ppoll && p == first && !p->isForced && !result && waited) return idle(p, &r);
    if (logFile) fprintf(logFile, "%s\t%s\t%s\t%ld\t%s\t%ld\t%lld\n", step, p == first ? "main" : "child", p->call ? p->call->name : "?",
                         p->call ? p->number : 0, p->path, result,
                         number == __NR_openat ? p->before.rdx : number == __NR_open ? p->before.rsi : 0);
    return 1;
}

/* After execve(2): the program has no vDSO, so that its clocks are system calls; and it stops at its entry. */
static long entryPoint, entryWord;
static void prepare(pid_t pid) {
    struct user_regs_struct r;
    long word, pair[2];
    if (ptrace(PTRACE_GETREGS, pid, 0, &r)) die("registers");
    get(pid, r.rsp, &word, 8);
    unsigned long at = r.rsp + 8 + (word + 1) * 8;
    do { get(pid, at, &word, 8); at += 8; } while (word);
    for (;; at += 16) {
        get(pid, at, pair, 16);
        if (pair[0] == AT_NULL) break;
        if (pair[0] == AT_ENTRY) entryPoint = pair[1];
        if (pair[0] == AT_SYSINFO_EHDR) { pair[0] = AT_IGNORE; put(pid, at, pair, 16); }
    }
    errno = 0;
    entryWord = ptrace(PTRACE_PEEKTEXT, pid, entryPoint, 0);
    if (errno || ptrace(PTRACE_POKETEXT, pid, entryPoint, (entryWord & ~0xffl) | 0xcc)) die("the entry");
}

static void enter(pid_t pid) {
    struct user_regs_struct r;
    ptrace(PTRACE_POKETEXT, pid, entryPoint, entryWord);
    ptrace(PTRACE_GETREGS, pid, 0, &r);
    r.rip = entryPoint;
    ptrace(PTRACE_SETREGS, pid, 0, &r);
    isTraced = 1;
}

static void timeout(int number) {
    (void)number;
    const char *name = first && first->isInside && first->call ? first->call->name : "running";
    dprintf(eventNumber, "hang %s\n", name);
    if (first) kill(first->pid, SIGKILL);
    _exit(0);
}

static void rule(char *word) {
    isLasting = !strcmp(strtok(word, " "), "lasting");
    ruleName = strtok(NULL, " ");
    ruleNth = atol(strtok(NULL, " "));
    char *what = strtok(NULL, " "), *path = strtok(NULL, "");
    isShort = !strcmp(what, "short");
    ruleResult = -atol(what);
    snprintf(rulePath, sizeof rulePath, "%s", path ? path : "");
    ruleHolds = 1;
}

int main(int argc, char **argv) {
    int option;
    while ((option = getopt(argc, argv, "+i:o:r:w:p:l:f:k:")) > 0) {
        if (option == 'i') commandNumber = atoi(optarg);
        else if (option == 'o') eventNumber = atoi(optarg);
        else if (option == 'k') mayBeSignalled = atoi(optarg);
        else if (option == 'r') root = optarg;
        else if (option == 'w') { isWorld = 1; ueventNumber = atoi(optarg); }
        else if (option == 'p') procNumber = atoi(optarg);
        else if (option == 'l') { if (!(logFile = fopen(optarg, "we"))) die(optarg); }
        else if (option == 'f') rule(optarg);
        else return 99;
    }
    if (!(commands = fdopen(commandNumber, "r")) || !(events = fdopen(eventNumber, "w"))) die("COMMANDS and EVENTS");
    fcntl(commandNumber, F_SETFD, FD_CLOEXEC);
    fcntl(eventNumber, F_SETFD, FD_CLOEXEC);
    if (procNumber < 0 && (procNumber = open("/proc", O_PATH | O_DIRECTORY)) < 0) die("/proc");
    fcntl(procNumber, F_SETFD, FD_CLOEXEC);
    hide();
    signal(SIGALRM, timeout);
    pid_t pid = fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        personality(ADDR_NO_RANDOMIZE);
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        if (isWorld) {
            FILE *self = fopen("/proc/self/stat", "we");
            if (!self || fprintf(self, "%d (ksmtuned) R\n", getpid()) < 0 || fclose(self)) die("/proc/self/stat");
        }
        raise(SIGSTOP);
        execv(argv[optind], argv + optind);
        die(argv[optind]);
    }
    first = find(pid);
    int status;
    waitpid(pid, &status, 0);
    first->started = 1;
    if (ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK
               | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)) die("this process cannot be traced");
    ptrace(PTRACE_SYSCALL, pid, 0, 0);
    for (;;) {
        alarm(LIMIT);
        pid = waitpid(-1, &status, __WALL);
        if (pid < 0) die("nothing is left to wait for");
        struct process *p = find(pid);
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (p == first) {
                if (WIFEXITED(status)) event("exit %d\n", WEXITSTATUS(status));
                else event("killed %d\n", WTERMSIG(status));
                return 0;
            }
            p->pid = -1;
            if (parked && !children()) {
                struct user_regs_struct r;
                parked = 0;
                ptrace(PTRACE_GETREGS, first->pid, 0, &r);
                r.rip -= 2;
                r.rax = r.orig_rax;
                ptrace(PTRACE_SETREGS, first->pid, 0, &r);
                ptrace(PTRACE_SYSCALL, first->pid, 0, 0);
            }
            continue;
        }
        int number = WSTOPSIG(status), pass = 0;
        if (number == (SIGTRAP | 0x80)) {
            if (!p->isInside) entry(p);
            else if (!leave(p)) continue;
        } else if (status >> 16 == PTRACE_EVENT_EXEC) { if (p == first) prepare(pid); }
        else if (status >> 16) {                /* a child, which may be heard of only later */
            unsigned long child;
            if (!ptrace(PTRACE_GETEVENTMSG, pid, 0, &child)) find(child);
        }
        else if (number == SIGTRAP && !isTraced && entryPoint) enter(pid);
        else if (number == SIGSTOP && !p->started) p->started = 1;
        else pass = number;
        ptrace(PTRACE_SYSCALL, pid, 0, pass);
    }
}
