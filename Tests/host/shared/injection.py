"""A program under inject.c: every system call that it makes is seen, and one of them may fail."""
import dataclasses, os, subprocess
from .needs import Missing, compiler, need_x86
from .tested import HERE

ENVIRONMENT = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C', 'TZ': 'UTC0'}


def compile_injector(path):
    need_x86('the injection of faults')
    subprocess.run([compiler(), '-O2', '-Wall', '-Wextra', '-o', path, HERE / 'inject.c'], check=True)
    tried = Injected(path, ['/bin/true'], '/nowhere', discard=True)
    tried.until_idle()
    if tried.end != ('exit', 0):
        raise Missing(f'no fault can be injected here: {tried.errors.strip()}')
    return path


@dataclasses.dataclass(frozen=True)
class Call:
    """A system call that a program made, as inject.c logs it."""
    step: str
    process: str                                # main or child
    name: str
    number: int                                 # among those of this name on this path
    path: str                                   # below the tree as ~/…
    result: int
    flags: int = 0                              # of open(2)


def read_calls(path):
    with open(path, errors='replace') as f:
        for line in f:
            step, process, name, number, place, result, flags = line.rstrip('\n').split('\t')
            yield Call(step, process, name, int(number), place, int(result), int(flags))


class Injected:
    """A program that runs under inject.c until it is idle or has ended; nothing of it goes on by itself.

    `rule` is a line of inject.c, `end` what became of the program: ('exit', status), ('killed', signal), ('hang',
    where), or None while it lives. A signal reaches no other process than `other`.

    A `world` is lived in without a root: a command that makes it, the descriptor that the kernel's uevents come by, and
    a function for the policy or nice value that another process is to be given."""

    def __init__(self, injector, command, root, rule=None, log=None, environment=None, folder=None, discard=False,
                 other=None, world=None):
        self.end, self.hits, self.waits, self.root, self.strays = None, 0, None, root, []
        self.folder = folder or root
        here, there = os.pipe(), os.pipe()
        before, uevents, self.schedule = world or ((), None, None)
        processes = os.open('/proc', os.O_PATH | os.O_DIRECTORY)
        options = [*(['-w', uevents, '-p', processes] if world else ['-r', root]),
                   *(['-l', log] if log else []), *(['-f', rule] if rule else []), *(['-k', other] if other else [])]
        self.names = None if discard else (f'{self.folder}/stdout', f'{self.folder}/stderr')
        output = [subprocess.PIPE] * 2 if discard else [open(name, 'w') for name in self.names]
        self.process = subprocess.Popen(
            list(map(str, [*before, injector, '-i', here[0], '-o', there[1], *options, *command])), stdin=subprocess.DEVNULL,
            stdout=output[0], stderr=output[1], start_new_session=True,
            pass_fds=(here[0], there[1], *((uevents, processes) if world else ())),
            env={**ENVIRONMENT, **(environment or {})})
        os.close(processes)
        for f in output:
            if not discard:
                f.close()
        os.close(here[0])
        os.close(there[1])
        self.commands, self.events = os.fdopen(here[1], 'w'), os.fdopen(there[0])

    def tell(self, line):
        self.commands.write(line + '\n')
        self.commands.flush()

    def until_idle(self):
        """Lets it run; whether it lives. `waits` is then for how many nanoseconds it wants to wait, -1 for ever."""
        for line in self.events:
            word, _, value = line.strip().partition(' ')
            if word == 'idle':
                self.waits = int(value)
                return True
            if word == 'hit':
                self.hits += 1
            elif word == 'stray':
                self.strays.append(int(value))
            elif word in ('policy', 'nice'):
                self.schedule(word, *map(int, value.split()))
                self.tell('done')
            else:
                self.end = word, int(value) if value.lstrip('-').isdigit() else value
        self.finish()
        return False

    def go(self, line):
        self.tell(line)
        return self.until_idle()

    def finish(self):
        """Ends it where it has not ended."""
        if self.process.returncode is None:
            self.commands.close()
            output, errors = self.process.communicate()
            self.events.close()
            if self.names is None:
                self.output, self.errors = output.decode(errors='replace'), errors.decode(errors='replace')
            if self.end is None:
                self.end = 'failed', self.process.returncode

    def said(self, which=1):
        with open(self.names[which], errors='replace') as f:
            return f.read()

    @property
    def pid(self):
        """Of the program itself: the injector's only child."""
        with open(f'/proc/{self.process.pid}/task/{self.process.pid}/children') as f:
            return int(f.read().split()[0])
