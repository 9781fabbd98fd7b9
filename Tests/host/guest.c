/*
 * A fake guest for tests and benchmarks: a process whose memory KSM may merge, in known shares, and which measures what
 * merging costs it.
 *
 *     cc -O2 -o qemu-system-x86_64 guest.c
 *     ./qemu-system-x86_64 [OPTION...] MIB [ANYTHING...]
 *
 * It is compiled, copied or linked under a virtual machine monitor's name: by that ksmtuned knows guests. Words after
 * MIB are ignored: they make a command line (-enable-kvm). Needs no root.
 *
 * Its pages, in percent and mixed; what the first three leave of a hundred is the fourth kind:
 *
 * --same PERCENT   the same in every guest, and within a guest all differ
 * --zero PERCENT   zeros
 * --unique PERCENT like no other page anywhere
 * (equal)          all alike, within a guest as between guests
 *
 * --huge           huge pages (MADV_HUGEPAGE); otherwise small ones on every host
 * --fill SECONDS   fill the memory over that time (0, the default: at once)
 * --copies COUNT   fork that many times, for COUNT further processes of this resident size that cost next to no memory;
 *                  nothing is mergeable then, since the pages are shared already
 *
 * What it does once its memory is filled; by default nothing:
 *
 * --rewrite PERCENT SECONDS
 *                  that share of all pages, always the same ones, gets new contents, like no other page's, again and
 *                  again, once in SECONDS each. They never hold anything mergeable.
 * --become-same PERCENT SECONDS
 *                  that share of all pages, taken from those that are like no other, becomes the same in every guest
 *                  that has this option, over that time and mixed over all memory: in place, so that no memory comes
 * --give-take MIB LEAST MOST
 *                  the first MIB of the memory are the same in every guest, whatever the shares say of the rest. Each
 *                  LEAST to MOST seconds, at random, they are given back to the kernel (MADV_DONTNEED), and at once
 *                  filled again with what they held.
 * --busy           all other pages that are like no other get new contents too, each once in 20 seconds
 * --timed PERCENT  200 times a second write one byte to a random page and take the time; only to that share of the
 *                  pages, since the write, of the value that is there already, ends the merging of its page until
 *                  ksmd meets it twice again. With --busy only pages that are like no other are timed, so that nothing
 *                  mergeable comes anew.
 *
 * "ready" is printed when the memory is filled. At SIGTERM it ends with status 0, and with --timed it prints
 * "writes COUNT p50 MICROSECONDS p99 MICROSECONDS". Exit status 1 where memory or the kernel's KSM is missing, 2 for
 * wrong arguments.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { STEP = 5000000 /* nanoseconds */, BUSY_SECONDS = 20, MOST_TIMES = 1 << 22, EQUAL_BYTE = 42 };
enum kind { SAME, ZERO, UNIQUE, BECOMING, EQUAL };

static size_t page, pages, given;
static char *memory;
static double same, zero, unique, rewrite, rewrite_seconds = 1, fill_seconds, timed, copies;
static double become, become_seconds, give_mib, give_least, give_most;
static int busy, huge;
static uint64_t state;                          /* of the random numbers of this guest alone */
static uint32_t times[MOST_TIMES];              /* nanoseconds of each timed write */
static size_t count;
static volatile sig_atomic_t ended;

static void end(int signal)
{
    (void)signal;
    ended = 1;
}

/* splitmix64: small, fast, and every seed gives a good sequence. */
static uint64_t next(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void fill(size_t i, uint64_t *seed)
{
    uint64_t *word = (uint64_t *)(memory + i * page);
    for (size_t n = 0; n < page / sizeof *word; n++)
        word[n] = next(seed);
}

/* 61 shares no factor with 100, so every hundred pages have each remainder once: the shares are exact and mixed. */
static int rewritten(size_t i) { return i >= given && i / 100 * 61 % 100 < rewrite; }
static enum kind kind(size_t i)
{
    size_t at = i * 61 % 100;
    if (i < given)
        return SAME;
    if (rewritten(i))
        return UNIQUE;
    return at < same ? SAME : at < same + zero ? ZERO : at < same + zero + become ? BECOMING
        : at < same + zero + unique ? UNIQUE : EQUAL;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void fill_same(size_t i)
{
    uint64_t seed = i;
    fill(i, &seed);
}

static void fill_all(void)
{
    double began = now();
    for (size_t i = 0; i < pages && !ended; i++) {
        switch (kind(i)) {
        case SAME: fill_same(i); break;
        case UNIQUE:
        case BECOMING: fill(i, &state); break;
        case EQUAL: memset(memory + i * page, EQUAL_BYTE, page); break;
        /* The write takes a page: an untouched one would be the kernel's own zero page, and not resident. */
        case ZERO: *(volatile char *)(memory + i * page) = 0; break;
        }
        while (fill_seconds > 0 && (double)i / pages > (now() - began) / fill_seconds && !ended)
            nanosleep(&(struct timespec){ 0, STEP }, NULL);
    }
}

/* The next pages for which `wanted` holds, as many as `due` says; from the start again behind the last. */
static void renew(double due, size_t *at, double *done, int (*wanted)(size_t))
{
    for (size_t seen = 0; *done < due && seen < pages; seen++, *at = (*at + 1) % pages)
        if (wanted(*at)) {
            fill(*at, &state);
            *done += 1;
        }
}
static int unique_only(size_t i) { return kind(i) == UNIQUE && !rewritten(i); }

/* Those of the pages of --become-same whose time has come, after so many seconds. One hundredth of all pages after the
 * other, each from the start of the memory to its end: 61 * 41 leaves a remainder of 1, so the pages with the remainder
 * `at` of kind() are 41 * at, and each hundredth from there. */
static void become_same(double seconds, size_t *done)
{
    size_t each = pages / 100 + 1, all = each * become;
    double due = seconds < become_seconds ? all * (seconds / become_seconds) : all;
    for (; *done < due && !ended; ++*done) {
        size_t at = same + zero + *done / each, i = at * 41 % 100 + *done % each * 100;
        if (i < pages && kind(i) == BECOMING)
            fill_same(i);
    }
}

static double give_pause(void) { return give_least + (give_most - give_least) * (next(&state) / 0x1p64); }
static void give_and_take(void)
{
    if (madvise(memory, given * page, MADV_DONTNEED))
        perror("madvise(MADV_DONTNEED)");
    for (size_t i = 0; i < given && !ended; i++)
        fill_same(i);
}

static void write_timed(void)
{
    size_t stride = 100 / timed, n = pages / stride;
    size_t i = next(&state) % (n ? n : 1) * stride;
    if (busy)
        while (i < pages && kind(i) != UNIQUE)
            i++;
    if (i >= pages || count == MOST_TIMES)
        return;
    volatile char *byte = memory + i * page + next(&state) % page;
    char value = *byte;
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    *byte = value;
    clock_gettime(CLOCK_MONOTONIC, &after);
    times[count++] = (after.tv_sec - before.tv_sec) * 1000000000l + after.tv_nsec - before.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static double number(const char *text)
{
    char *rest;
    double value = text ? strtod(text, &rest) : -1;
    if (!text || !*text || *rest || !(value >= 0)) {
        fprintf(stderr, "A number is missing or wrong: %s\n", text ? text : "at the end");
        exit(2);
    }
    return value;
}

/* Further processes with this memory, which end with this one. */
static int fork_copies(void)
{
    for (double made = 0; made < copies; made++) {
        pid_t child = fork();
        if (child < 0) {
            perror("fork");
            return 0;
        }
        if (child == 0) {
            signal(SIGTERM, SIG_DFL);
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                pause();
        }
    }
    return 1;
}

/* Until SIGTERM. With nothing to do it sleeps all the time: a guest at rest costs no CPU time. */
static void work(void)
{
    size_t rewrite_at = 0, busy_at = 0, became = 0;
    double began = now(), rewrites = 0, writes = 0, give_at = began + give_pause();
    double per_second = pages * rewrite / 100 / rewrite_seconds;
    double busy_per_second = pages * (100 - rewrite) / 100 * (unique - become) / 100 / BUSY_SECONDS;
    struct timespec step = { 0, STEP };
    sigset_t term, open;
    /* SIGTERM comes within ppoll only, so that none comes between the look at `ended` and the sleep. */
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &open);
    while (!ended) {
        ppoll(NULL, 0, timed > 0 || rewrite > 0 || busy || become > 0 || given ? &step : NULL, &open);
        if (timed > 0)
            write_timed();
        if (rewrite > 0)
            renew((now() - began) * per_second, &rewrite_at, &rewrites, rewritten);
        if (busy)
            renew((now() - began) * busy_per_second, &busy_at, &writes, unique_only);
        if (become > 0)
            become_same(now() - began, &became);
        if (given && now() >= give_at) {
            give_and_take();
            give_at = now() + give_pause();
        }
    }
}

int main(int argc, char **argv)
{
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        const char *option = argv[at];
        if (!strcmp(option, "--busy")) busy = 1;
        else if (!strcmp(option, "--huge")) huge = 1;
        else if (!strcmp(option, "--same")) same = number(argv[++at]);
        else if (!strcmp(option, "--zero")) zero = number(argv[++at]);
        else if (!strcmp(option, "--unique")) unique = number(argv[++at]);
        else if (!strcmp(option, "--fill")) fill_seconds = number(argv[++at]);
        else if (!strcmp(option, "--copies")) copies = number(argv[++at]);
        else if (!strcmp(option, "--timed")) timed = number(argv[++at]);
        else if (!strcmp(option, "--rewrite")) {
            rewrite = number(argv[++at]);
            rewrite_seconds = at < argc ? number(argv[++at]) : 0;
        } else if (!strcmp(option, "--become-same")) {
            become = number(argv[++at]);
            become_seconds = number(argv[++at]);
        } else if (!strcmp(option, "--give-take")) {
            give_mib = number(argv[++at]);
            give_least = number(argv[++at]);
            give_most = number(argv[++at]);
        } else {
            fprintf(stderr, "No such option: %s\n", option);
            return 2;
        }
    }
    page = (size_t)sysconf(_SC_PAGESIZE);
    pages = (size_t)(at < argc ? number(argv[at]) * 1048576 / page : 0);
    given = (size_t)(give_mib * 1048576 / page);
    if (!pages || same + zero + unique > 100 || rewrite > 100 || rewrite_seconds <= 0 || timed > 100 ||
        become > unique || given > pages || give_most < give_least) {
        fprintf(stderr, "Usage: %s [OPTION...] MIB [ANYTHING...]\n", argv[0]);
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);           /* nothing is left where its parent is killed */
    sigaction(SIGTERM, &(struct sigaction){ .sa_handler = end }, NULL);
    if (getrandom(&state, sizeof state, 0) != sizeof state)
        state = (uint64_t)getpid() << 32 ^ (uint64_t)time(NULL);

    /* Aligned for huge pages. */
    size_t edge = 2 << 20;
    memory = mmap(NULL, pages * page + edge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    memory += -(uintptr_t)memory & (edge - 1);
    /* Huge pages would be split one by one while they are merged, which is slow and makes sums vague. A kernel without
     * them refuses, which is as good. */
    madvise(memory, pages * page, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    if (!copies && madvise(memory, pages * page, MADV_MERGEABLE)) {
        perror("madvise(MADV_MERGEABLE)");
        return 1;
    }
    fill_all();
    if (!fork_copies())
        return 1;
    puts("ready");
    fflush(stdout);
    work();

    if (timed > 0) {
        qsort(times, count, sizeof *times, ascending);
        printf("writes %zu p50 %.2f p99 %.2f\n", count, times[count / 2] / 1e3, times[count * 99 / 100] / 1e3);
    }
    return 0;
}
