/* A host whose pages have the size that PAGE_SIZE says, for a program that asks the C library: loaded before it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

long sysconf(int name) {
    static long (*real)(int);
    if (!real) real = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
    const char *size = getenv("PAGE_SIZE");
    return size && name == _SC_PAGESIZE ? atol(size) : real(name);
}
