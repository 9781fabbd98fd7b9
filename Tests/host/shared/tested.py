"""The programs under test, fake guests, and a running daemon."""
import contextlib, functools, os, pathlib, re, shutil, signal, subprocess, tempfile
from .kernel import meminfo, read, write
from .needs import Missing, compiler, need_built
from .processes import LIMIT, Stage, wait_for

HERE = pathlib.Path(__file__).resolve().parent.parent
TOP = HERE.parent.parent
BUILT = TOP / '.build/release'
STATE, HISTORY = '/run/ksmtuned/state', '/var/lib/ksmtuned/history'
MEMORY_LIMIT = 2048                                        # KiB that are no file's
DESCRIPTOR_LIMIT = 16
QUIET = 'KSM_MONITOR_INTERVAL=1h\n'                       # only signals and events decide


def compile_guest(path):
    """guest.c under that name: by it ksmtuned knows guests."""
    subprocess.run([compiler(), '-O2', '-o', path, HERE / 'guest.c'], check=True)
    return path


class Programs:
    """Copies: the build may be replaced meanwhile, and the process name must be ksmtuned."""

    def __init__(self, folder, daemon, ksmctl):
        self.folder, self.built = pathlib.Path(folder), dict(ksmtuned=daemon, ksmctl=ksmctl)

    def copy(self, name):
        need_built(self.built[name])
        return shutil.copy2(self.built[name], self.folder / name)

    @functools.cached_property
    def daemon(self):
        return self.copy('ksmtuned')

    @functools.cached_property
    def ksmctl(self):
        return self.copy('ksmctl')

    def guest(self, name='qemu-system-x86_64'):
        """The fake guest, under that name."""
        original, path = self.folder / 'guest', self.folder / name
        if not original.exists():
            compile_guest(original)
        if not path.exists():
            shutil.copy2(original, path)
        return path


class TestStage(Stage):
    """A stage for the programs under test."""
    __test__ = False                                      # no class of tests

    def __init__(self, folder, programs):
        super().__init__(folder)
        self.programs, self.count, self.daemons = programs, 0, []

    @classmethod
    @contextlib.contextmanager
    def new(cls, programs):
        """One with a folder of its own; all that was started is ended behind it."""
        with tempfile.TemporaryDirectory(prefix='ksmtuned-check.') as folder:
            stage = cls(folder, programs)
            try:
                yield stage
            finally:
                stage.clear()

    def guest(self, mib, *options, name='qemu-system-x86_64', argv=None):
        """A fake guest that has filled its memory."""
        path = self.programs.guest(name)
        process = self.start([argv or path, *options, mib, '-name', 'test', *(['-enable-kvm'] if argv else [])],
                             executable=path, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == 'ready\n', f'the guest {name} did not get ready'
        return process

    def configuration(self, *texts):
        """A file in a folder of its own, so that it has drop-ins of its own."""
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir()
        path = f'{folder}/ksmtuned.conf'
        write(path, f'PIDFILE={folder}/pid\n' + ''.join(texts))
        return path

    def daemon(self, *texts, configuration=None, kind=None, **settings):
        return (kind or Daemon)(self, configuration or self.configuration(*texts), **settings)

    def ksmctl(self, *arguments, argv0='ksmctl', environment=None, wrapper=()):
        """A finished command."""
        command = [*wrapper, self.programs.ksmctl if wrapper else argv0, *arguments]
        return subprocess.run(command, executable=None if wrapper else self.programs.ksmctl, capture_output=True, text=True,
                              timeout=LIMIT, env=environment)

    def last_words(self):
        """Of the daemons, for the reader of a failure."""
        return ''.join(f'process {daemon.pid}: {line}\n' for daemon in self.daemons for line in daemon.said().splitlines()[-8:])


class Daemon:
    """A running ksmtuned, and what it says."""

    def __init__(self, stage, configuration, arguments=(), ready=True, wrapper=(), environment=None, before=None):
        self.stage, self.configuration = stage, configuration
        self.pid_file = f'{os.path.dirname(configuration)}/pid'
        stage.count += 1
        stage.daemons.append(self)
        self.errors = f'{stage.folder}/{stage.count}.stderr'
        environment = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C', 'TZ': 'UTC0', **(environment or {})}
        with open(self.errors, 'w') as f:
            self.process = stage.start([*wrapper, stage.programs.daemon, '--config', configuration, *arguments],
                                       stdout=f, stderr=f, env=environment, before=before)
        self.pid = self.process.pid
        if ready:
            wait_for('ready', lambda: 'ready' in self.said() or self.process.poll() is not None)
            self.expect_running()

    def expect_running(self):
        assert self.process.poll() is None, f'the daemon ended with {self.process.poll()}'

    def said(self):
        return read(self.errors)

    def signal(self, name):
        self.process.send_signal(getattr(signal, f'SIG{name}'))

    def decide(self):
        """Sends USR1 and waits for the decision: the state file is replaced after each."""
        before = self.stamp()
        self.signal('USR1')
        self.decided_since(before)

    def reload(self):
        """Sends HUP and waits for the decision."""
        before = self.stamp()
        self.signal('HUP')
        self.decided_since(before)

    def decided_since(self, before):
        wait_for('a decision', lambda: self.process.poll() is not None or self.stamp() != before)
        self.expect_running()

    def stamp(self):
        return state().get('TIME_USEC')

    def wait(self):
        try:
            return self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'it did not end in {LIMIT} s') from None

    def check_resources(self):
        """Its own memory is small whatever it did, and it holds each file once."""
        if read(f'/proc/{self.pid}/comm') != 'ksmtuned\n':
            return                              # another program that runs it
        memory = int(re.search(r'(?m)^RssAnon:\s+(\d+)', read(f'/proc/{self.pid}/status'))[1])
        assert memory <= MEMORY_LIMIT, f'{memory} KiB of memory of its own'
        # While it decides, it opens what it writes a second time.
        held = wait_for('that it holds each file once', self.held_once)
        # Each of KSM's files is held once on a real host, and each guest's.
        others = [target for target in held if not target.startswith('/sys/kernel/mm/ksm/') and not target.endswith('/statm')]
        assert len(others) <= DESCRIPTOR_LIMIT, f'descriptors: {sorted(held)}'

    def held(self):
        """The files that it holds open, besides the standard ones."""
        files = []
        for number in os.listdir(f'/proc/{self.pid}/fd'):
            if int(number) > 2:
                with contextlib.suppress(FileNotFoundError):        # closed since
                    files.append(os.readlink(f'/proc/{self.pid}/fd/{number}'))
        return files

    def held_once(self):
        held = self.held()
        return set(held) if len(held) == len(set(held)) else None

    def end(self, name='TERM'):
        """An orderly end, which always looks the same."""
        self.check_resources()
        self.signal(name)
        assert self.wait() == 0, f'exit status after SIG{name}'
        assert not os.path.exists(self.pid_file), 'the pid file is left'
        assert not os.path.exists(STATE), 'the state file is left'


def state():
    """What the daemon tells of its last decision; empty before the first."""
    try:
        return dict(re.findall(r'(?m)^(\w+)=\'?(.*?)\'?$', read(STATE)))
    except FileNotFoundError:
        return {}


def expected_sleep(milliseconds=10):
    return max(milliseconds * 16 * 1024 * 1024 // meminfo('MemTotal'), 10)


def need_namespaces(*options, command=('true',)):
    """unshare(1) with these options works, which takes root in more than a chroot."""
    tried = subprocess.run(['unshare', *options, *command], capture_output=True, text=True)
    if tried.returncode:
        raise Missing(f'no namespace of its own can be made here: {tried.stderr.strip()}')
