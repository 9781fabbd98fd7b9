"""What programs live through while their system calls fail: a tree that stands for a host, the scripted life of a daemon
in it, and each command of ksmctl."""
import contextlib, dataclasses, os, pathlib, re, select, signal, socket
from . import world
from .injection import Injected

POLICIES = ('classic', 'adaptive', 'advisor')
KSM = 'sys/kernel/mm/ksm'
# As found: "put back" differs from "stopped" and from the kernel's own values.
FOUND = dict(run=0, pages_to_scan=123, sleep_millisecs=21, advisor_mode='[none] scan-time', advisor_max_cpu=71,
             advisor_min_pages_to_scan=501, advisor_max_pages_to_scan=30001, advisor_target_scan_time=201, smart_scan=1,
             use_zero_pages=0, max_page_sharing=256, merge_across_nodes=1)
COUNTERS = dict(pages_shared=0, pages_sharing=0, pages_unshared=0, pages_volatile=0, pages_scanned=0, pages_skipped=0,
                ksm_zero_pages=0, full_scans=0, general_profit=0, stable_node_chains=0, stable_node_dups=0)
# A name that is in no message of ours, to look for it in what others may read.
SECRET = 'hush-4711'
# Every decision is by what is seen now, and not by those before: what one failure did is over at the next.
CONFIGURATION = '''KSM_ON_EXIT=restore
KSM_NPAGES_BOOST=100000
KSM_NPAGES_DECAY=-100000
KSM_NPAGES_MIN=64
KSM_NPAGES_MAX=1250
KSM_SMART_SCAN=0
KSM_USE_ZERO_PAGES=1
KSM_STEP_IDLE=10
KSM_STEP_BURST=1
LOGFILE=/var/log/ksmtuned
DEBUG=1
'''
# Of a life without --root, what takes more than a tree has: pressure for memory, files of processes that a child reads,
# and ksmd itself.
OF_THE_HOST = dict(classic='''KSM_PRESSURE="some 300ms/2s"
KSM_KSMD_SCHEDULING="nice 10"
KSM_PS_METRIC=pss
''', adaptive='''KSM_PRESSURE="some 300ms/2s"
KSM_KSMD_SCHEDULING=idle
''')
PLACES = '/sys', '/run', '/var/lib', '/var/log', '/etc'
# Seconds within which the service manager wants a sign of life.
WATCHDOG = 40
SCHEDULED = {0: 'other', 5: 'idle'}


@dataclasses.dataclass(frozen=True)
class Kind:
    """Of a life: by which policy, and whether the daemon has no --root, so that its tree lies over the host."""
    policy: str
    is_world: bool = False

    def __str__(self):
        return f'{self.policy}, no root' if self.is_world else self.policy


KINDS = (*map(Kind, POLICIES), *(Kind(policy, is_world=True) for policy in OF_THE_HOST))


class Tree:
    """A host's folders; with `is_world` it is laid over the host's own, and has more of them."""

    def __init__(self, folder, policy, is_world=False):
        self.root, self.is_world, self.policy, self.nice, self.newest = str(folder), is_world, 0, 5, 0
        for name in ('etc/ksmtuned.conf.d', 'run', 'var/run', 'var/lib', 'var/log'):
            os.makedirs(f'{self.root}/{name}')
        self.memory(free=8_000_000)
        self.counters = dict(COUNTERS)
        self.cpu = 1000
        self.passes = 0
        self.found = {**FOUND, 'run': 1 if policy == 'adaptive' else 0}
        for name, value in {**self.found, **COUNTERS}.items():
            self.write(f'{KSM}/{name}', f'{value}\n')
        if is_world:
            self.found['ksmd'] = 'other 5'
        self.guest(200, 300_000)
        self.process(50, 'ksmd', '', 0)
        self.write('proc/50/schedstat', '1000 0 0\n')
        if is_world:
            world.mark(self.root)
            self.process(1, 'systemd', '/sbin/init\0', 2000)
            self.say_ksmd()
            os.makedirs(f'{self.root}/run/systemd/journal')
        self.write('proc/vmstat', 'ksm_swpin_copy 0\ncow_ksm 0\npswpin 0\npswpout 0\n')
        self.write('proc/pressure/memory', 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n'
                                           'full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n')
        self.write('proc/pressure/cpu', 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n')
        self.write('proc/swaps', 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n')
        self.write('sys/devices/system/cpu/online', '0-1\n')
        self.write('sys/devices/system/node/has_memory', '0\n')
        self.write('sys/kernel/mm/transparent_hugepage/enabled', 'always [madvise] never\n')
        self.configure(f'KSM_POLICY={policy}\n' + CONFIGURATION + (OF_THE_HOST[policy] if is_world else ''))

    def write(self, name, text):
        """In place, as the kernel's files change."""
        path = f'{self.root}/{name}'
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path))
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.write(file, text.encode())
        os.close(file)

    def configure(self, text):
        self.configuration = text
        self.write('etc/ksmtuned.conf', text)

    def memory(self, free):
        """In KiB, of 16 GiB."""
        self.write('proc/meminfo', f'MemTotal: 16777216 kB\nMemFree: {free} kB\nMemAvailable: {free} kB\nBuffers: 0 kB\n'
                                   'Cached: 0 kB\nSwapCached: 0 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n')

    def process(self, pid, name, command, pages):
        for file, text in dict(
                comm=f'{name}\n', cmdline=command, statm=f'{pages} {pages} 0 0 0 0 0\n', ksm_merging_pages='0\n',
                stat=f'{pid} ({name}) S 1 1 1 0 -1 0 0 0 0 0 10 10 0 0 20 0 1 0 5 0 0\n', status=f'Name:\t{name}\nUid:\t0\t0\t0\t0\n',
                ksm_stat='ksm_rmap_items 0\nksm_zero_pages 0\nksm_merging_pages 0\nksm_process_profit 0\n'
                         f'ksm_merge_any: no\nksm_mergeable: {"yes" if pages else "no"}\n').items():
            self.write(f'proc/{pid}/{file}', text)
        if self.is_world:
            self.write(f'proc/{pid}/smaps_rollup', f'Rss: {pages * 4} kB\nPss: {pages * 4} kB\n')
            self.newest = max(self.newest, pid)
            self.write('proc/loadavg', f'0.00 0.00 0.00 1/100 {self.newest}\n')

    def say_ksmd(self):
        """How it is scheduled; it waits for a CPU, so that a write to `run` would have to wait for it."""
        self.write('proc/50/stat',
                   f'50 (ksmd) R 2 {"0 " * 13}20 {self.nice} 1 0 5 {"0 " * 18}{self.policy}{" 0" * 11}\n')

    def schedule(self, what, pid, number):
        """The kernel gives a thread a policy or a nice value."""
        assert pid == 50, f'process {pid} was to be scheduled anew'
        setattr(self, what, number)
        self.say_ksmd()

    def guest(self, pid, pages):
        self.process(pid, 'qemu-system-x86', f'qemu-system-x86_64\0-enable-kvm\0-name\0{SECRET}\0', pages)

    def end_guest(self, pid):
        """A process that has ended reads as zeros where its file is held open."""
        folder = f'{self.root}/proc/{pid}'
        self.write(f'proc/{pid}/statm', '0 0 0 0 0 0 0\n')
        for name in os.listdir(folder):
            os.unlink(f'{folder}/{name}')
        os.rmdir(folder)

    def knob(self, name):
        try:
            file = os.open(f'{self.root}/{KSM}/{name}', os.O_RDONLY)
        except OSError:
            return None
        text = os.read(file, 256).decode().strip()
        os.close(file)
        return re.search(r'\[(.*)\]', text)[1] if '[' in text else text

    def knobs(self):
        ksmd = dict(ksmd=f'{SCHEDULED[self.policy]} {self.nice}') if self.is_world else {}
        return {name: self.knob(name) for name in FOUND} | ksmd

    def scan(self):
        """What the kernel does meanwhile: it shows the modes of its advisor, and ksmd makes a pass. That merges in the
        first two, and finds nothing more."""
        mode = self.knob('advisor_mode')
        self.write(f'{KSM}/advisor_mode', 'none [scan-time]\n' if mode == 'scan-time' else '[none] scan-time\n')
        if self.knob('run') != '1':
            return
        if mode == 'scan-time':
            self.write(f'{KSM}/pages_to_scan', f'{self.knob("advisor_min_pages_to_scan")}\n')
        self.passes += 1
        c = self.counters
        c['full_scans'] += 1
        c['pages_scanned'] += 250_000
        c['pages_shared'], c['pages_sharing'] = 1000, min(c['pages_sharing'] + 50_000, 100_000)
        c['pages_unshared'], c['general_profit'] = 100_000, c['pages_sharing'] * 4096
        self.cpu += 500_000_000
        for name in ('full_scans', 'pages_scanned', 'pages_shared', 'pages_sharing', 'pages_unshared', 'general_profit'):
            self.write(f'{KSM}/{name}', f'{c[name]}\n')
        self.write('proc/50/schedstat', f'{self.cpu} 0 0\n')

    def files(self):
        """All that is there, but for what only this harness makes."""
        return sorted(os.path.relpath(f'{folder}/{name}', self.root) for folder, _, names in os.walk(self.root) for name in names
                      if not folder.startswith((f'{self.root}/proc', f'{self.root}/run/systemd')))


@dataclasses.dataclass
class Life:
    """What was seen of one life: the knobs after each step, and the rest before its end or at it."""
    policy: str
    order: tuple                                # the names of its steps
    end: tuple = None
    hits: int = 0
    hit: str = None                             # the step in which the rule first held
    knobs: dict = dataclasses.field(default_factory=dict)
    passes: dict = dataclasses.field(default_factory=dict)     # of ksmd, after each step
    said: dict = dataclasses.field(default_factory=dict)       # how many lines of messages there were after each step
    states: dict = dataclasses.field(default_factory=dict)
    messages: list = dataclasses.field(default_factory=list)
    descriptors: list = dataclasses.field(default_factory=list)
    memory: int = 0                             # KiB, private
    files: list = dataclasses.field(default_factory=list)
    history: bytes = b''
    notified: list = dataclasses.field(default_factory=list)
    found: dict = dataclasses.field(default_factory=dict)
    debug: set = dataclasses.field(default_factory=set)        # lines of LOGFILE
    log: str = ''
    silence: float = 0                          # the longest time in seconds without a sign of life


def uevent(kind, pid):
    return (f'change@/devices/virtual/misc/kvm\0ACTION=change\0DEVPATH=/devices/virtual/misc/kvm\0SUBSYSTEM=misc\0'
            f'EVENT={kind}\0PID={pid}\0STATS_PATH=/x\0SEQNUM=1\0').encode()


def shortage(tree):
    tree.memory(free=1_000_000)


def pressed(tree):
    """Enough is free, and guests may want more than there is."""
    tree.memory(free=5_000_000)
    tree.guest(200, 3_500_000)


def churn(tree):
    tree.guest(201, 3_500_000)
    tree.end_guest(200)
    # The kernel lists processes in the order of their numbers, and new ones are found behind the others. A tree has no
    # order, so they are announced, too.
    return uevent('create', 201), uevent('destroy', 200)


def machine_comes(tree):
    tree.process(203, 'monitor', 'monitor\0', 100_000)
    return uevent('create', 203),


def machine_goes(tree):
    tree.end_guest(203)
    return uevent('destroy', 203),


def bad_lines(tree):
    tree.write('etc/ksmtuned.conf', tree.configuration + 'KSM_NPAGES_MAX=many\n')


def other_threshold(tree):
    tree.configure(tree.configuration + 'KSM_THRES_COEF=21\n')


def plenty(tree):
    tree.memory(free=8_000_000)
    tree.guest(201, 300_000)


def nothing(tree):
    pass


# Longer than anything waits to be tried again.
QUIET = 65
# Name, what changes, the signal then, and how many seconds pass behind it.
STEPS = (('stop', nothing, 'USR1', 0), ('boost', shortage, 'USR1', 0), ('decay', pressed, 'USR1', 0),
         ('churn', churn, 'USR1', 0), ('short', shortage, 'USR1', 0), ('time', nothing, None, 60),
         ('bad reload', bad_lines, 'HUP', 0), ('reload', other_threshold, 'HUP', 0), ('reload again', nothing, 'HUP', 0),
         ('plenty', plenty, 'USR1', 0), ('quiet', nothing, None, QUIET), ('last', shortage, 'USR1', 0))
# A lasting failure ends before this step; what is tried again at its own pace is in `quiet`.
LIFTED = 'plenty'
# What comes to a host besides: virtual machines, of which the kernel tells, and pressure for memory, of which it can
# cease to tell. The first of each is the step that it follows; TRIGGER is its place among what the daemon waits for.
TRIGGER = 3
HOST_STEPS = {'churn': ('machine', machine_comes, 'again', 2),
              'short': ('pressure', nothing, f'poll {TRIGGER} {select.POLLPRI}', 2),
              'time': ('no trigger', nothing, f'poll {TRIGGER} {select.POLLERR}', 0),
              'bad reload': ('machine goes', machine_goes, 'again', 2)}


def steps(is_world):
    for step in STEPS:
        yield step
        if is_world and step[0] in HOST_STEPS:
            yield HOST_STEPS[step[0]]


# ksmd makes a pass in each wait of the adaptive policy, which comes to rest in these.
ADAPTIVE_WAITS = 4


@contextlib.contextmanager
def sockets(folder, tree):
    """Where the daemon's messages go to, and the kernel's uevents come from: the manager's, the journal's or None, and
    both ends of the uevents' or None."""
    with contextlib.ExitStack() as stack:
        def bound(name):
            made = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
            # The path of a folder may be longer than that of a socket.
            place = os.open(os.path.dirname(name), os.O_PATH | os.O_DIRECTORY)
            made.bind(f'/proc/self/fd/{place}/{os.path.basename(name)}')
            os.close(place)
            return made
        manager, journal, uevents = bound(f'{folder}/notify'), None, (None, None)
        if tree.is_world:
            journal = bound(f'{tree.root}/run/systemd/journal/socket')
            pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            uevents = [stack.enter_context(each) for each in pair]
        yield manager, journal, uevents


def received(end):
    with contextlib.suppress(BlockingIOError):
        while True:
            yield end.recv(65536).decode(errors='replace')


def live(injector, programs, folder, kind, rule=None, lift=LIFTED, log=False):
    """A whole life of the daemon in a new tree."""
    policy, is_world = kind.policy, kind.is_world
    folder = pathlib.Path(folder)
    folder.mkdir()
    tree = Tree(folder / 'host', policy, is_world)
    script = list(steps(is_world))
    life = Life(policy, ('start', *(step[0] for step in script), 'end'), log=str(folder / 'log'))
    with sockets(folder, tree) as (manager, journal, (uevents, heard)):
        environment, command = {'NOTIFY_SOCKET': f'{folder}/notify'}, [programs['ksmtuned'], '--root', tree.root]
        if is_world:
            command = command[:1]
            (folder / 'stderr').touch()
            stream = os.stat(folder / 'stderr')
            environment |= {'JOURNAL_STREAM': f'{stream.st_dev}:{stream.st_ino}',
                            'WATCHDOG_USEC': str(WATCHDOG * 1_000_000)}
        program = Injected(injector, command, tree.root, rule, life.log if log else None, environment, folder,
                           world=(world.inside(tree.root, PLACES), heard.fileno(), tree.schedule) if is_world else None)
        lines = 0
        silence = 0.0

        def hear():
            nonlocal silence, lines
            for text in received(manager):
                life.notified.append(text)
                if 'WATCHDOG=1' in text:
                    silence = 0.0
            for text in received(journal) if journal else ():
                life.messages += ['ksmtuned: ' + line for line in re.findall(r'(?m)^MESSAGE=(.*)', text)]
            said = program.said().splitlines()
            life.messages += said[lines:]
            lines = len(said)

        def seen(step, alive):
            hear()
            if program.hits and life.hit is None:
                life.hit = step
            if alive:
                tree.scan()
                life.knobs[step], life.passes[step] = tree.knobs(), tree.passes
                life.said[step] = len(life.messages)
                with contextlib.suppress(OSError):
                    life.states[step] = pathlib.Path(f'{tree.root}/run/ksmtuned/state').read_text()
            return alive

        def wait(times, seconds=0):
            """So many waits, and for at least so long."""
            nonlocal silence
            alive, passed = True, 0
            while alive and (times > 0 or passed < seconds):
                times, passed = times - 1, passed + program.waits / 1e9
                tree.scan()
                hear()
                assert program.waits >= 0, 'it would wait for ever'
                silence += program.waits / 1e9
                life.silence = max(life.silence, silence)
                alive = program.go('advance')
            return alive

        waits = ADAPTIVE_WAITS if policy == 'adaptive' else 0
        alive = seen('start', program.until_idle() and wait(waits))
        for name, change, event, pause in script:
            if not alive:
                break
            program.tell(f'step {name}')
            if name == lift and rule and rule.startswith('lasting'):
                program.tell('lift')
            for message in change(tree) or ():
                if is_world:
                    uevents.send(message)
            if event and event.isupper():
                event = f'signal {int(getattr(signal, "SIG" + event))}'
            alive = program.go(event) if event else True
            alive = seen(name, alive and wait(waits if event else 1, pause))
        if alive:
            life.descriptors = descriptors(program.pid, tree.root)
            life.memory = private_memory(program.pid)
            with contextlib.suppress(OSError):
                life.history = pathlib.Path(f'{tree.root}/var/lib/ksmtuned/history').read_bytes()
            program.tell('step end')
            alive = program.go(f'signal {int(signal.SIGTERM)}')
            while alive and program.waits >= 0:         # it waits for its child, or for a lock
                hear()
                alive = program.go('advance')
        program.finish()
        seen('end', False)
    life.end, life.hits = program.end, program.hits
    life.knobs['end'] = tree.knobs()
    life.files = tree.files()
    life.found = tree.found
    with contextlib.suppress(OSError):
        life.debug = {line.partition(': ')[2] for line in pathlib.Path(f'{tree.root}/var/log/ksmtuned').read_text().splitlines()}
    return life


def descriptors(pid, root):
    """What it holds open, without numbers that differ in each run."""
    held = []
    for number in map(int, os.listdir(f'/proc/{pid}/fd')):
        if number > 2:
            target = os.readlink(f'/proc/{pid}/fd/{number}').replace(root, '~')
            held.append(re.sub(r'^(pipe|socket):.*', r'\1', target))
    return sorted(held)


def private_memory(pid):
    """In KiB; file pages come and go with the kernel's own memory."""
    with open(f'/proc/{pid}/status') as f:
        return int(re.search(r'(?m)^RssAnon:\s+(\d+)', f.read())[1])
