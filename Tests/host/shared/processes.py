"""Programs that are started, waited for, and ended whatever happens."""
import contextlib, ctypes, os, pathlib, signal, subprocess, sys, time

LIMIT = 40                     # seconds that any condition is waited for; a loaded machine needs some of it
LIBC = ctypes.CDLL(None)


def wait_for(what, condition, limit=LIMIT, pause=.01):
    """The condition's value, as soon as it is true."""
    until = time.monotonic() + limit
    while not (value := condition()):
        assert time.monotonic() < until, f'{what} did not come about in {limit} s'
        time.sleep(pause)
    return value


def adopt_orphans():
    """What programs leave behind comes to this process, which can wait for it; init may take its time."""
    LIBC.prctl(36, 1, 0, 0, 0)                  # PR_SET_CHILD_SUBREAPER


def end_on_signals(leave=lambda number: sys.exit(128 + number)):
    """SIGTERM and SIGHUP leave by an exception, as Ctrl-C does, so that what was started is ended and KSM is put back; a
    second one does not disturb that."""
    signals = signal.SIGTERM, signal.SIGHUP

    def end(number, _):
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        leave(number)
    for number in signals:
        signal.signal(number, end)


def capture(command, **settings):
    """Runs a command to its end: its exit status, and what it printed. All of its group is ended where that is left
    early."""
    with subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, start_new_session=True, **settings) as process:
        try:
            printed = process.communicate()[0]
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return process.returncode, printed


class Stage:
    """All that a check or a benchmark starts. Each program has a process group of its own, which ends with it."""

    def __init__(self, folder):
        self.folder, self.started, self.undo = pathlib.Path(folder), [], []

    def start(self, command, before=None, **settings):
        """`before` is called in the new process."""
        def prepare():
            LIBC.prctl(1, signal.SIGKILL, 0, 0, 0)          # PR_SET_PDEATHSIG: it ends when this program is killed
            if before:
                before()
        settings.setdefault('stdin', subprocess.DEVNULL)
        process = subprocess.Popen(list(map(str, command)), start_new_session=True, preexec_fn=prepare, **settings)
        self.started.append(process)
        return process

    def end(self, process, patience=0):
        """Ends a process and its group: at once, or that many seconds after SIGTERM. Returns what it printed since,
        where that is kept."""
        if process in self.started:
            self.started.remove(process)
        try:
            if patience and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(patience)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            with contextlib.suppress(ChildProcessError):
                while True:
                    os.waitpid(-process.pid, 0)
        return process.communicate(timeout=LIMIT)[0] or ''

    def clear(self):
        """Ends all, the last one first, also where one of the ends fails, and then undoes what else was done."""
        with contextlib.ExitStack() as stack:
            for undo in self.undo:
                stack.callback(undo)
            for process in self.started:
                stack.callback(self.end, process)
            self.undo = []
