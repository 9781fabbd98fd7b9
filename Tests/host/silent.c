/* A process of which some files in /proc give no answer: the lock of its memory is kept for ever.
 *
 * One thread reads a page of a file through /proc/self/mem, for which the kernel takes that lock; the file is on a file
 * system (FUSE) whose server, a child of this process, does not answer reads. Another thread waits for the same lock to
 * change the mappings, and whoever comes after that one waits, too. This takes root only to mount the file system, in a
 * mount namespace of its own: fusermount does it for everybody.
 *
 *   silent    prints a line when it is silent, and ends when its standard input does */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void answer(int device, uint64_t question, int error, const void *body, size_t size) {
    struct { struct fuse_out_header header; char body[256]; } out = {
        .header = { .len = sizeof out.header + size, .error = error, .unique = question }
    };
    memcpy(out.body, body, size);
    if (write(device, &out, out.header.len) < 0) _exit(1);
}

/* The folder is node 1, and the only file node 2. */
static struct fuse_attr attributes(uint64_t node) {
    return (struct fuse_attr){
        .ino = node, .size = 4096, .blocks = 8, .nlink = 1, .blksize = 4096,
        .mode = node == 1 ? S_IFDIR | 0755 : S_IFREG | 0644,
    };
}

static void serve(int device) {
    static char in[1 << 17];
    for (;;) {
        ssize_t length = read(device, in, sizeof in);
        if (length < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT)) continue;
        if (length < 0) _exit(0);
        struct fuse_in_header *question = (struct fuse_in_header *)in;
        uint64_t unique = question->unique;
        switch (question->opcode) {
        case FUSE_INIT: {
            struct fuse_init_out out = { .major = 7, .minor = 31, .max_write = 65536, .time_gran = 1 };
            answer(device, unique, 0, &out, sizeof out);
            break;
        }
        case FUSE_LOOKUP: {
            struct fuse_entry_out out = { .nodeid = 2, .attr_valid = 1000, .entry_valid = 1000, .attr = attributes(2) };
            answer(device, unique, 0, &out, sizeof out);
            break;
        }
        case FUSE_GETATTR: {
            struct fuse_attr_out out = { .attr_valid = 1000, .attr = attributes(question->nodeid) };
            answer(device, unique, 0, &out, sizeof out);
            break;
        }
        case FUSE_OPEN: {
            struct fuse_open_out out = { .fh = 1 };
            answer(device, unique, 0, &out, sizeof out);
            break;
        }
        case FUSE_READ: case FUSE_FORGET: case FUSE_INTERRUPT: break;
        default: answer(device, unique, -ENOSYS, NULL, 0);
        }
    }
}

static void *keep(void *page) {
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    char byte;
    if (pread(memory, &byte, 1, (off_t)page) < 0) perror("/proc/self/mem");
    return NULL;
}

static void *change(void *none) {
    usleep(200000);
    mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return none;
}

int main(void) {
    char folder[] = "/tmp/silentXXXXXX", path[sizeof folder + 5], options[128];
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) fail("a mount namespace");
    int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (device < 0) fail("/dev/fuse");
    if (!mkdtemp(folder)) fail(folder);
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
    int mounted = mount("silent", folder, "fuse.silent", 0, options);
    if (mounted < 0) {
        rmdir(folder);
        fail("mount");
    }
    pid_t server = fork();
    if (server < 0) fail("fork");
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(device);
    }
    close(device);
    snprintf(path, sizeof path, "%s/file", folder);
    /* Later on no page can be had that is not there yet. */
    if (mlockall(MCL_CURRENT) < 0) perror("mlockall");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    void *page = file < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
    int error = errno;
    umount2(folder, MNT_DETACH);
    rmdir(folder);
    errno = error;
    if (page == MAP_FAILED) fail(path);
    /* Whatever becomes of whoever started this. */
    alarm(120);
    pthread_t threads[2];
    if (pthread_create(&threads[0], NULL, change, NULL)) fail("pthread_create");
    if (pthread_create(&threads[1], NULL, keep, page)) fail("pthread_create");
    usleep(400000);
    if (write(1, "silent\n", 7) < 0) _exit(1);
    char byte;
    while (read(0, &byte, 1) > 0) {}
    kill(server, SIGKILL);
    _exit(0);
}
