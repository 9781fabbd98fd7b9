"""A program of which a part is swapped out on purpose: a cgroup with a limit of its own, and a swap file."""
import contextlib, errno, os, pathlib, re, subprocess, tempfile
from .kernel import MIB, PAGE, meminfo, read, write
from .needs import Missing, need_programs


class MemoryGroup:
    """A cgroup of its own, of either version, whose limit makes the kernel swap."""

    def __init__(self):
        parent, self.is_unified = self._parent()
        self.folder = f'{parent}/ksmtuned-check.{os.getpid()}'
        self.limit_file = f'{self.folder}/{"memory.max" if self.is_unified else "memory.limit_in_bytes"}'

    @staticmethod
    def _parent():
        """The folder in which a group can be made, and whether its version is 2."""
        own = re.search(r'(?m)^\d+:(?:\w+,)*memory(?:,\w+)*:(.*)$', read('/proc/self/cgroup'))
        if own:
            return f'/sys/fs/cgroup/memory{own[1].rstrip("/")}', False
        with contextlib.suppress(FileNotFoundError):
            if 'memory' in read('/sys/fs/cgroup/cgroup.subtree_control').split():
                return '/sys/fs/cgroup', True
        raise Missing('no cgroup of its own with a limit of memory can be made here: the controller is not there')

    @classmethod
    @contextlib.contextmanager
    def new(cls):
        """One that is removed behind it; what is in it must have ended by then."""
        group = cls()
        try:
            os.mkdir(group.folder)
            if not os.path.exists(group.limit_file):
                os.rmdir(group.folder)
                raise Missing('no cgroup of its own with a limit of memory can be made here: it has no such file')
        except OSError as error:
            raise Missing(f'no cgroup of its own can be made here ({error.strerror})') from None
        try:
            yield group
        finally:
            os.rmdir(group.folder)

    def join(self):
        """This process and what it starts; what it has taken before stays elsewhere."""
        write(f'{self.folder}/cgroup.procs', '0')

    @property
    def usage(self):
        """In bytes."""
        return int(read(f'{self.folder}/{"memory.current" if self.is_unified else "memory.usage_in_bytes"}'))

    @contextlib.contextmanager
    def limited(self, enough):
        """The limit is lowered until so much is swapped that `enough` is true. The kernel drops files' pages first."""
        try:
            while not enough():
                limit = (self.usage - 32 * MIB) // PAGE * PAGE
                assert limit > 32 * MIB, f'the kernel swaps too little of the group, whose usage is {self.usage}'
                try:
                    write(self.limit_file, str(limit))
                except OSError as error:
                    if error.errno != errno.EBUSY:              # version 1 may have tried in vain, or been too slow
                        raise
            yield
        finally:
            write(self.limit_file, 'max' if self.is_unified else '-1')


@contextlib.contextmanager
def swap_file(mib):
    """More swap, on this machine's disk; behind it all that it held is in memory again, and the file is gone."""
    need_programs('mkswap:util-linux', 'swapon:mount', 'swapoff:mount')
    with tempfile.TemporaryDirectory(prefix='ksmtuned-swap.', dir='/var/tmp') as folder:
        path = pathlib.Path(folder) / 'swap'
        with open(path, 'wb', opener=lambda path, flags: os.open(path, flags, 0o600)) as f:
            try:
                os.posix_fallocate(f.fileno(), 0, mib * MIB)
            except OSError as error:
                raise Missing(f'no swap file of {mib} MiB in /var/tmp ({error.strerror})') from None
        subprocess.run(['mkswap', path], check=True, stdout=subprocess.DEVNULL)
        before = meminfo('SwapTotal')
        try:
            tried = subprocess.run(['swapon', '--priority', '32767', path], capture_output=True, text=True)
            if tried.returncode:
                raise Missing(f'no swap on a file in /var/tmp: {tried.stderr.strip()}')
            yield
        finally:
            if str(path) in read('/proc/swaps'):
                subprocess.run(['swapoff', path], check=True)
        assert meminfo('SwapTotal') == before, 'swap is as it was'
