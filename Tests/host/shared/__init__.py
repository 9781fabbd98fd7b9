"""What the checks on this host and the benchmarks share.

    needs       what is missing here, as a reason to skip or to refuse
    kernel      KSM, memory and processes as the kernel shows them; KSM borrowed and put back
    processes   programs that are started, waited for, and ended whatever happens
    tested      the programs under test, fake guests, a running daemon
    injection   a program whose system calls fail on demand (inject.c)
    lives       a tree and the scripted life of a daemon in it; verdicts: what must hold of it
    commands    each command of ksmctl beside a daemon, and what must hold of it
    faultcases  which failures are tried; campaign: many of them side by side, with tables
    machines    virtual machines: the image, QEMU
    swapping    a cgroup with a limit, and a swap file, for a program that is partly swapped out
    original    the script that this project replaces, fetched for a run
"""
