/*
 * A neighbour on the same processors: how long its tasks wait and take, while something else (ksmd) runs beside it.
 *
 *     cc -O2 -o corunner corunner.c -lm
 *     ./corunner --calibrate MICROSECONDS      prints the LOADS of a task that takes so long when nothing else runs
 *     ./corunner LOADS MICROSECONDS            runs tasks of LOADS, one each MICROSECONDS on average, until SIGTERM
 *
 * There is one process for each processor, and the kernel places them. A task is a chain of LOADS loads over 16 MiB,
 * each at an address that the load before it gave: it feels a lost processor as much as a lost cache. Tasks arrive in
 * each process at random (a Poisson process) and whether those before them are done or not; latency is measured from
 * the arrival, so that a task which had to wait counts with its wait.
 *
 * "ready" is printed once all is set up. At SIGUSR1 and at SIGTERM it prints, of all tasks that ended since the last
 * such line, "count N p50 US p99 US p99.9 US"; the latencies are microseconds, and right within a thousandth. It ends
 * with status 0 at SIGTERM, 1 where a process or memory is missing, and 2 for wrong arguments. Needs no root.
 */
#define _GNU_SOURCE
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    BYTES = 16 << 20, LINE = 64, LINES = BYTES / LINE,
    CALIBRATION = 2,                    /* seconds; the processes of all processors at once */
    FINE = 10,                          /* latencies are counted in 2^10 steps for each doubling */
    BUCKETS = (40 - FINE + 2) << FINE   /* up to 2^41 ns, half an hour */
};

struct line { struct line *next; char rest[LINE - sizeof(struct line *)]; };

static struct {
    uint64_t ready, loads;              /* of all processes; loads only while calibrating */
    uint32_t buckets[BUCKETS];          /* tasks by their latency */
} *shared;
static uint64_t state;                  /* of the random numbers */

/* splitmix64 */
static uint64_t next(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}
static int64_t now(void) { return nanoseconds(CLOCK_MONOTONIC); }

static size_t bucket(uint64_t ns)
{
    if (ns < 1 << FINE)
        return ns;
    unsigned doubled = 63 - __builtin_clzll(ns) - FINE;
    size_t found = ((size_t)doubled << FINE) + (ns >> doubled);
    return found < BUCKETS ? found : BUCKETS - 1;
}

/* The middle of a bucket, in microseconds. */
static double microseconds(size_t bucket)
{
    if (bucket < 1 << FINE)
        return bucket / 1e3;
    unsigned doubled = (bucket >> FINE) - 1;
    return ldexp((bucket & ((1 << FINE) - 1)) + (1 << FINE) + .5, doubled) / 1e3;
}

/* A single cycle through all lines, in random order (Sattolo's shuffle). */
static struct line *chain(void)
{
    struct line *lines = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (lines == MAP_FAILED)
        return NULL;
    madvise(lines, BYTES, MADV_NOHUGEPAGE);     /* or it would depend on what the host had to spare */
    for (size_t i = 0; i < LINES; i++)
        lines[i].next = &lines[i];
    for (size_t i = LINES - 1; i > 0; i--) {
        size_t other = next() % i;
        struct line *kept = lines[i].next;
        lines[i].next = lines[other].next;
        lines[other].next = kept;
    }
    return lines;
}

static struct line *task(struct line *at, uint64_t loads)
{
    while (loads--)
        at = at->next;
    __asm__ volatile("" : : "r"(at));           /* its value is used, as far as the compiler knows */
    return at;
}

/* By CPU time, so that what is at work beside it on a host that is not quite idle takes less part. */
static void calibrate(struct line *at)
{
    enum { CHUNK = 1000 };
    int64_t until = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) + CALIBRATION * 1000000000ll;
    uint64_t loads = 0;
    for (; nanoseconds(CLOCK_PROCESS_CPUTIME_ID) < until; loads += CHUNK)
        at = task(at, CHUNK);
    __atomic_fetch_add(&shared->loads, loads, __ATOMIC_RELAXED);
}

static void serve(struct line *at, uint64_t loads, double gap)
{
    for (int64_t arrival = now();;) {
        arrival += -log((next() >> 11 | 1) * 0x1p-53) * gap * 1e3;
        struct timespec when = { arrival / 1000000000, arrival % 1000000000 };
        while (now() < arrival)
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
        at = task(at, loads);
        __atomic_fetch_add(&shared->buckets[bucket(now() - arrival)], 1, __ATOMIC_RELAXED);
    }
}

/* The tasks since the last time, by their latency. */
static void print_latencies(void)
{
    static uint32_t seen[BUCKETS], fresh[BUCKETS];
    uint64_t count = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        uint32_t all = __atomic_load_n(&shared->buckets[i], __ATOMIC_RELAXED);
        fresh[i] = all - seen[i];
        seen[i] = all;
        count += fresh[i];
    }
    printf("count %llu", (unsigned long long)count);
    const struct { const char *name; double share; } wanted[] = { { "p50", .5 }, { "p99", .99 }, { "p99.9", .999 } };
    for (size_t n = 0; n < sizeof wanted / sizeof *wanted; n++) {
        uint64_t before = 0;
        size_t i = 0;
        for (; i < BUCKETS - 1 && before + fresh[i] <= count * wanted[n].share; i++)
            before += fresh[i];
        printf(" %s %.1f", wanted[n].name, count ? microseconds(i) : 0);
    }
    putchar('\n');
    fflush(stdout);
}

static int lost(void)
{
    fputs("One of the co-runner's processes has ended, for want of memory or by a signal\n", stderr);
    return 1;
}

static double number(const char *text)
{
    char *rest;
    double value = text ? strtod(text, &rest) : 0;
    if (!text || *rest || !(value > 0)) {
        fprintf(stderr, "A number above 0 is missing or wrong: %s\n", text ? text : "at the end");
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    int calibrating = argc > 1 && !strcmp(argv[1], "--calibrate");
    if (argc != 3) {
        fprintf(stderr, "Usage: %s --calibrate MICROSECONDS | LOADS MICROSECONDS\n", argv[0]);
        return 2;
    }
    double loads = calibrating ? 0 : number(argv[1]), time = number(argv[2]);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);           /* nothing is left where its parent is killed */
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);

    for (long n = 0; n < processors; n++) {
        pid_t child = fork();
        if (child < 0) {
            perror("fork");
            return 1;
        }
        if (child)
            continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_TIMERSLACK, 1);            /* nanosecond: otherwise each arrival is noticed 50 us late */
        if (getrandom(&state, sizeof state, 0) != sizeof state)
            state = now() ^ (uint64_t)getpid() << 32;
        struct line *lines = chain();
        if (!lines)
            _exit(1);
        /* All begin at once: the others' setting up would be felt. */
        __atomic_fetch_add(&shared->ready, 1, __ATOMIC_RELAXED);
        while (__atomic_load_n(&shared->ready, __ATOMIC_RELAXED) < (uint64_t)processors)
            usleep(1000);
        if (calibrating)
            calibrate(lines);
        else
            serve(lines, loads, time);
        _exit(0);
    }
    if (calibrating) {
        for (int status; wait(&status) > 0;)
            if (status)
                return lost();
        printf("%.0f\n", shared->loads / (processors * CALIBRATION * 1e6) * time);
        return 0;
    }
    while (__atomic_load_n(&shared->ready, __ATOMIC_RELAXED) < (uint64_t)processors) {
        if (waitpid(-1, NULL, WNOHANG) > 0)
            return lost();
        usleep(1000);
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        int signal = sigwaitinfo(&set, NULL);
        if (signal == SIGCHLD)
            return lost();
        print_latencies();
        if (signal == SIGTERM)
            return 0;
    }
}
