/*
 * A stand-in for a virtual machine: a process that holds memory which KSM may merge.
 *
 *     cc -O2 -static -o qemu-system-x86_64 mergeable-guest.c
 *     ./qemu-system-x86_64 [--unique PERCENT] [--zero] [--copies COUNT] MIB [ANYTHING...]
 *
 * It is compiled or copied under a virtual machine monitor's name, because the name of its process is what
 * ksmtuned goes by. Words after MIB are ignored: they make a command line (-enable-kvm). Needs no root.
 *
 * --unique PERCENT  that many of a hundred pages are like no other page, here or in another such process
 * --zero            the equal pages hold zeros (for use_zero_pages)
 * --copies COUNT    fork so many times, for COUNT further processes of this resident size that cost next to no
 *                   memory; nothing is mergeable then, since the pages are shared already
 *
 * It prints "ready" when all is filled, then sleeps until killed. Exit status 1 where memory or the kernel's
 * KSM is missing, 2 for wrong arguments.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

static long number(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);
    return *text && !*end ? value : -1;
}

int main(int argc, char **argv)
{
    long unique = 0, copies = 0, mib, at = 1;
    int fill = 42;

    for (; at < argc && argv[at][0] == '-'; at++) {
        if (!strcmp(argv[at], "--unique") && at + 1 < argc)
            unique = number(argv[++at]);
        else if (!strcmp(argv[at], "--copies") && at + 1 < argc)
            copies = number(argv[++at]);
        else if (!strcmp(argv[at], "--zero"))
            fill = 0;
        else
            break;
    }
    mib = at < argc ? number(argv[at]) : -1;
    if (mib < 1 || mib > 1L << 24 || unique < 0 || unique > 100 || copies < 0) {
        fprintf(stderr, "Usage: %s [--unique PERCENT] [--zero] [--copies COUNT] MIB [ANYTHING...]\n", argv[0]);
        return 2;
    }

    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = ((size_t)mib << 20) / page;
    char *memory = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    /* Huge pages would be split page by page while they are merged, and make the tests slow and their sums vague.
     * A kernel without them refuses, which is as good. */
    madvise(memory, pages * page, MADV_NOHUGEPAGE);
    if (!copies && madvise(memory, pages * page, MADV_MERGEABLE)) {
        perror("madvise(MADV_MERGEABLE)");
        return 1;
    }

    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        seed = (uint64_t)getpid() << 32;
    for (size_t i = 0; i < pages; i++) {
        char *here = memory + i * page;
        /* The writes also take the page: an untouched one would be the kernel's own zero page and not resident. */
        memset(here, fill, page);
        if (!fill)
            *(volatile char *)here = 0;
        /* Spread evenly: page i is unique when the running sum of percents passes a hundred. */
        if ((i + 1) * (size_t)unique / 100 != i * (size_t)unique / 100) {
            uint64_t word = seed + i;
            memcpy(here, &word, sizeof word);
        }
    }
    for (; copies > 0; copies--) {
        pid_t child = fork();
        if (child < 0) {
            perror("fork");
            return 1;
        }
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                pause();
        }
    }
    puts("ready");
    fflush(stdout);
    for (;;)
        pause();
}
