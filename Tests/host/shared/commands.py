"""Each command of ksmctl beside a daemon, while its system calls fail."""
import dataclasses, errno, os, pathlib, re, signal
from .injection import Injected
from .lives import KSM, Tree, pressed, shortage
from .verdicts import documented_statuses, is_known, normal

# All that its help lists; a test compares.
COMMANDS = ('status', 'status --json', 'explain', 'guests', 'guests --limits', 'doctor', 'doctor --verbose', 'history', 'history --csv',
            'plot', 'metrics', 'metrics --guests', 'plan', 'plan --ram 32G --guests 50x1G', 'simulate --config NEW', 'retune', 'reload', 'start', 'stop', 'unmerge',
            'unmerge --force', 'check-config', 'show-config')

# The folder of its process in a path.
DAEMON = '~/proc/DAEMON'


class World:
    """A tree with a daemon that has decided some times, and that does nothing more: each command finds the same."""

    def __init__(self, injector, programs, folder):
        self.injector, self.programs, self.folder = injector, programs, pathlib.Path(folder)
        self.folder.mkdir()
        self.count = 0
        self.tree = tree = Tree(self.folder / 'host', 'classic')
        tree.write('etc/new.conf', 'KSM_THRES_COEF=50\n')
        self.daemon = Injected(injector, [programs['ksmtuned'], '--root', tree.root], tree.root, folder=str(self.folder))
        assert self.daemon.until_idle(), self.daemon.said()
        for change in (shortage, pressed, shortage):
            change(tree)
            assert self.daemon.go(f'signal {int(signal.SIGUSR1)}'), self.daemon.said()
            tree.scan()
        self.pid = self.daemon.pid
        for pid in (self.pid, 50):              # beside the guest: what the tool looks at to believe in a daemon
            tree.process(pid, 'ksmtuned' if pid == self.pid else 'ksmd', f'{programs["ksmtuned"]}\0' if pid == self.pid else '', 0)
        self.knobs = {name: pathlib.Path(f'{tree.root}/{KSM}/{name}').read_text() for name in os.listdir(f'{tree.root}/{KSM}')}

    def run(self, command, rule=None, log=None):
        for name, text in self.knobs.items():
            self.tree.write(f'{KSM}/{name}', text)
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir()
        words = [f'{self.tree.root}/etc/new.conf' if word == 'NEW' else word for word in command.split()]
        mine = f'~/proc/{self.pid}'                     # it differs between worlds
        if rule:
            rule = rule.replace(DAEMON, mine)
        program = Injected(self.injector, [self.programs['ksmctl'], *words, '--root', self.tree.root], self.tree.root, rule, log,
                           folder=str(folder), other=self.pid)
        alive = program.until_idle()
        while alive and program.waits >= 0:
            alive = program.go('advance')
        program.finish()
        if log:
            log.write_text(re.sub(rf'{mine}(?=[/\t])', DAEMON, log.read_text()))
        seen = Seen(program.end, program.hits, plain(program.said(0)), plain(program.said(1)), program.strays,
                    self.tree.knobs(), set(self.tree.files()))
        for name in ('stdout', 'stderr'):
            (folder / name).unlink()
        folder.rmdir()
        return seen

    def end(self):
        self.daemon.finish()


@dataclasses.dataclass
class Seen:
    end: tuple
    hits: int
    output: str
    errors: str
    strays: list
    knobs: dict
    files: set


def plain(text):
    """Without what differs between runs."""
    return re.sub(r'\b(process|pid|PID)\b(\W{1,4})\d+', r'\1\2N', normal(text))


def broken(case, seen, calm):
    """The rules that a command broke, each as (word, detail)."""
    if not seen.hits:
        return [('missed', 'the call did not come')]
    kind, value = seen.end
    if kind != 'exit':
        return [('signal', signal.Signals(value).name) if kind == 'killed' else (kind, value)]
    found = []
    if value not in documented_statuses('ksmctl.8'):
        found.append(('status', f'{value} is not in the manual'))
    reason = os.strerror(case.what) if case.what != 'short' else None
    if case.what == 'short':
        # Fewer bytes at a time are no failure.
        if (value, seen.output) != (calm.end[1], calm.output):
            found.append(('short', f'status {value} not {calm.end[1]}' if value != calm.end[1] else 'the output differs'))
    elif case.name.startswith(('write', 'pwrite')) and case.path == 'stdout' and case.what != errno.EINTR:
        # A reader that went away has what it wanted.
        if value != 74 and case.what != errno.EPIPE or case.what != errno.EPIPE and not seen.errors:
            found.append(('output', f'status {value}, {"a" if seen.errors else "no"} message'))
    elif value != calm.end[1] and not seen.errors and seen.output == calm.output:
        found.append(('silent', f'status {value} not {calm.end[1]}, and no word'))
    elif seen.output != calm.output and not seen.errors and not is_told(seen.output, calm.output, reason):
        found.append(('silent', f'the output differs: {first_difference(seen.output, calm.output)}'))
    if value == 0 and calm.end[1] == 0 and seen.knobs != calm.knobs:
        found.append(('touched', ' '.join(name for name in seen.knobs if seen.knobs[name] != calm.knobs[name])))
    found += [('stray', f'a signal to process {pid}') for pid in seen.strays]
    found += [('left', name) for name in seen.files - calm.files]
    return [each for each in found if not is_known(case, each)]


def is_told(output, calm, reason):
    """Whether what is new in the output says that something could not be read. Of metrics a series that is missing says
    so: that is how Prometheus is told of a value that is not known."""
    if calm.startswith('# HELP') and set(output.splitlines()) <= set(calm.splitlines()):
        return True
    words = 'could not|cannot|has errors|unknown|unreadable|not be read'
    # What is refused may be for other eyes.
    if reason == os.strerror(errno.EACCES):
        words += '|run it as root|only root can see'
    return any(reason in line or re.search(f'(?i){words}', line)
               for line in set(output.splitlines()) - set(calm.splitlines()))


def first_difference(one, other):
    for mine, theirs in zip(one.splitlines(), other.splitlines()):
        if mine != theirs:
            return f'{mine.strip()!r} not {theirs.strip()!r}'
    return 'more lines' if len(one) > len(other) else 'fewer lines'
