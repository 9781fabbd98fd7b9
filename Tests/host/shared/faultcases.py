"""Which failures are tried: for each system call of a life the errors that it may return, and which calls cannot fail."""
import dataclasses, errno, re

# Numbers of inject.c's machine that it has no name for, because nothing can be made of their failure.
CANNOT_FAIL = {
    '9': 'mmap', '10': 'mprotect', '11': 'munmap', '12': 'brk', '25': 'mremap', '13': 'rt_sigaction', '14': 'rt_sigprocmask',
    '15': 'rt_sigreturn', '24': 'sched_yield', '39': 'getpid', '60': 'exit', '63': 'uname', '102': 'getuid', '104': 'getgid',
    '107': 'geteuid', '108': 'getegid', '110': 'getppid', '131': 'sigaltstack', '158': 'arch_prctl', '186': 'gettid',
    '96': 'gettimeofday', '201': 'time', '202': 'futex', '218': 'set_tid_address', '219': 'restart_syscall', '228': 'clock_gettime',
    '229': 'clock_getres', '231': 'exit_group', '273': 'set_robust_list', '334': 'rseq', '127': 'rt_sigpending',
}
# Of these only the ones that ask for memory can fail: Swift ends a program that gets none, and the kernel gives it and
# ends a program later, by its OOM killer, unless overcommitment is switched off (vm.overcommit_memory=2).
GIVES_MEMORY = ('9', '12', '25')

E = errno
FILES = (E.EMFILE, E.ENFILE, E.ENOMEM, E.EIO, E.EINTR, E.EACCES)
LOOKS = (E.EIO, E.ENOMEM, E.EACCES)
ERRORS = {                                      # the most telling one first
    'open openat openat2': FILES,
    'read pread64 readv': (E.EIO, E.ENOMEM, E.EINTR),
    'getdents64': (E.EIO, E.ENOMEM, E.EINTR),
    'write pwrite64 writev': (E.ENOSPC, E.EIO, E.EINTR, E.EDQUOT),
    'close': (E.EIO, E.EINTR),
    'lseek': (E.EIO,),
    'stat lstat newfstatat statx fstat access faccessat faccessat2 readlink readlinkat statfs fstatfs': LOOKS,
    'ftruncate truncate fallocate': (E.ENOSPC, E.EIO, E.EINTR),
    'fsync fdatasync': (E.EIO,),
    'flock': (E.ENOLCK, E.EINTR),
    'fcntl': (E.ENOLCK, E.EMFILE, E.EINTR),
    'fadvise64 madvise': (E.EINVAL,),
    'rename renameat renameat2 link linkat': (E.EIO, E.ENOSPC, E.EROFS, E.EACCES),
    'unlink unlinkat rmdir': (E.EIO, E.EROFS, E.EACCES),
    'mkdir mkdirat': (E.ENOSPC, E.EROFS, E.EACCES),
    'chmod fchmod fchmodat chown fchown': (E.EPERM, E.EIO),
    'signalfd4 eventfd2': (E.EMFILE, E.ENFILE, E.ENOMEM),
    'pipe2': (E.EMFILE, E.ENFILE),
    'dup dup2 dup3': (E.EMFILE,),
    'ppoll poll': (E.EINTR, E.ENOMEM),
    'mmap': (E.ENOMEM,),                        # of the memory of a child that reads
    'clone clone3 fork vfork': (E.EAGAIN, E.ENOMEM),
    'wait4 waitid': (E.EINTR,),
    'kill pidfd_send_signal': (E.EPERM, E.ESRCH),
    'pidfd_open': (E.EMFILE, E.ENOSYS),
    'socket': (E.EMFILE, E.ENFILE, E.ENOMEM, E.EACCES),
    'connect sendto sendmsg': (E.ECONNREFUSED, E.EAGAIN, E.ENOBUFS, E.EINTR),
    'setsockopt getsockopt bind': (E.ENOMEM,),
    'recvfrom recvmsg': (E.ENOBUFS, E.EINTR),
    'prlimit64 setrlimit': (E.EPERM,),
    'close_range memfd_create': (E.ENOSYS,),
    'prctl': (E.EINVAL,),
    'getrandom': (E.EINTR, E.ENOSYS),
    'nanosleep clock_nanosleep': (E.EINTR,),
    'getcwd': (E.ENOENT,),
    'sched_setscheduler setpriority': (E.EPERM, E.ESRCH),
    'sched_getaffinity sched_setaffinity': (E.EINVAL, E.EPERM),
    'capget': (E.EPERM,),
    'sysinfo getrlimit uname getsockname getpeername': (),
    'execve': (),                               # it would be another program
    'ioctl': (E.ENOTTY,),                       # whether it is a terminal
}
ERRORS = {name: errors for names, errors in ERRORS.items() for name in names.split()}
KNOB = (E.EINVAL, E.EBUSY, E.EIO, E.EINTR, E.ENOMEM)
STREAM = (E.EPIPE, E.EIO, E.ENOSPC, E.EAGAIN, E.EINTR)
# What a failure that lasts is tried with, at each path.
LASTING = {'openat': (E.EMFILE, E.EACCES, E.EIO), 'read': (E.EIO,), 'pread64': (E.EIO,), 'getdents64': (E.EIO,),
           'write': (E.EIO, E.ENOSPC), 'pwrite64': (E.ENOSPC, E.EIO), 'ftruncate': (E.EIO,), 'renameat2': (E.EINVAL, E.EIO),
           'rename': (E.EROFS,), 'unlink': (E.EROFS,), 'mkdir': (E.EROFS,), 'clone': (E.EAGAIN,), 'pipe2': (E.EMFILE,),
           'socket': (E.EMFILE,), 'sendto': (E.ECONNREFUSED,), 'sendmsg': (E.ECONNREFUSED,), 'connect': (E.ECONNREFUSED,),
           'bind': (E.ENOMEM,), 'recvfrom': (E.ENOBUFS,), 'mmap': (E.ENOMEM,),
           'sched_setscheduler': (E.EPERM,), 'setpriority': (E.EPERM,), 'sched_setaffinity': (E.EINVAL,),
           'newfstatat': (E.EACCES,), 'access': (E.EACCES,), 'flock': (E.ENOLCK,), 'fcntl': (E.ENOLCK,), 'lseek': (E.EIO,)}


@dataclasses.dataclass(frozen=True)
class Case:
    """One failure of one life: `kind` is once or lasting, `what` an errno or "short"; a lasting one ends at `until`."""
    life: str                                   # a policy, or a command of ksmctl
    step: str
    kind: str
    name: str
    number: int
    what: object
    path: str
    until: str = ''

    @property
    def rule(self):
        return f'{self.kind} {self.name} {self.number} {self.what} {self.path}'

    @property
    def word(self):
        return self.what if self.what == 'short' else errno.errorcode[self.what]

    def __str__(self):
        return f'{self.life}, {self.step}: {self.name} {self.path or "-"} number {self.number} {self.word}' + (
            f' from then until {self.until}' if self.kind == 'lasting' else '')


def in_tree(path):
    return path.startswith('~')


def errors(call):
    """What a call may return, the most telling one first; "short" for fewer bytes than it was given."""
    path = call.path
    if call.name in ('write', 'pwrite64') and path in ('stdout', 'stderr'):
        return [*STREAM, 'short']
    if call.name == 'write' and path.startswith('~/sys/'):
        return [*KNOB]                          # the kernel takes all of a value or nothing
    if call.name == 'write' and path.startswith('~/proc/pressure/'):
        return [E.EINVAL, E.EOPNOTSUPP, E.ENOMEM, E.EINTR]         # a trigger, likewise
    if call.name == 'read' and path.startswith('anon_inode'):
        return [E.EINTR]
    if call.name == 'fcntl' and not in_tree(path):
        return []                               # flags of a descriptor
    if path in ('stdin', 'stdout', 'stderr'):
        return []                               # they are there
    if call.name not in ERRORS:
        raise KeyError(f'no errors are listed for {call.name}')
    found = list(ERRORS[call.name])
    if call.name.startswith('open') and re.search(r'/sys/kernel/mm/ksm$|/proc$|/run|/var', path):
        found.append(E.EROFS if '/run' in path or '/var' in path else E.ENOENT)
    if call.name in ('read', 'pread64') and in_tree(path) and call.result > 1:
        found.append('short')
    if call.name in ('write', 'pwrite64') and in_tree(path):
        found.append('short')
    return found


def single_cases(life, calls, each=None):
    """One failure at a time, at each call; with `each` at the first so many in each step of those that are the same."""
    seen = {}
    for call in calls:
        if call.name == '?' or call.path == '^':
            continue
        place = call.step, call.name, call.path
        seen[place] = seen.get(place, 0) + 1
        if each and seen[place] > each:
            continue
        for what in errors(call):
            yield Case(life, call.step, 'once', call.name, call.number, what, call.path)


def lasting_cases(life, calls, since, until):
    """Each kind of call on each path fails from a step on, until another or until the end."""
    steps, seen = {step: n for n, step in enumerate(dict.fromkeys(call.step for call in calls))}, set()
    for call in calls:
        if (call.name, call.path) in seen or steps[call.step] < steps[since]:
            continue
        if call.step == 'end' and until != 'end' or until == 'end' and not call.path.startswith('~/sys/kernel/mm/ksm/'):
            continue
        seen.add((call.name, call.path))
        if call.path in ('stdin', 'stdout') or call.path.startswith(('/', '^', 'anon')):
            continue
        if call.path == 'stderr' and call.name != 'write':
            continue
        for what in LASTING.get(call.name, ()):
            if not (what == E.ENOSPC and call.path.startswith('~/sys/')):
                yield Case(life, call.step, 'lasting', call.name, call.number, what, call.path, until)


def kind(case):
    """What the short form takes once."""
    return case.kind, case.name, kind_of_path(case.path), case.what == 'short', case.until


def kind_of_path(path):
    """Without numbers: files that are used alike."""
    return re.sub(r'\d+', 'N', path)


def sample(cases, besides=()):
    """The short form: of each kind of call and path, and of each step's, one with its most telling error and one short.
    What is among the cases of another life is tried there."""
    seen, taken = set(map(kind, besides)), []
    for case in cases:
        if kind(case) not in seen:
            seen.add(kind(case))
            taken.append(case)
    return taken
