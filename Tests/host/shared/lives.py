"""What programs live through while their system calls fail: a tree that stands for a host, the scripted life of a daemon
in it, and each command of ksmctl."""
import contextlib, dataclasses, os, pathlib, re, signal, socket
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


class Tree:
    """A host's folders."""

    def __init__(self, folder, policy):
        self.root = str(folder)
        for name in ('etc/ksmtuned.conf.d', 'run', 'var/run', 'var/lib', 'var/log'):
            os.makedirs(f'{self.root}/{name}')
        self.memory(free=8_000_000)
        self.counters = dict(COUNTERS)
        self.cpu = 1000
        self.passes = 0
        self.found = {**FOUND, 'run': 1 if policy == 'adaptive' else 0}
        for name, value in {**self.found, **COUNTERS}.items():
            self.write(f'{KSM}/{name}', f'{value}\n')
        self.guest(200, 300_000)
        self.process(50, 'ksmd', '', 0)
        self.write('proc/50/schedstat', '1000 0 0\n')
        self.write('proc/vmstat', 'ksm_swpin_copy 0\ncow_ksm 0\npswpin 0\npswpout 0\n')
        self.write('proc/pressure/memory', 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n'
                                           'full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n')
        self.write('proc/pressure/cpu', 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n')
        self.write('proc/swaps', 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n')
        self.write('sys/devices/system/cpu/online', '0-1\n')
        self.write('sys/devices/system/node/has_memory', '0\n')
        self.write('sys/kernel/mm/transparent_hugepage/enabled', 'always [madvise] never\n')
        self.configure(f'KSM_POLICY={policy}\n' + CONFIGURATION)

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
        return {name: self.knob(name) for name in FOUND}

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
                      if not folder.startswith(f'{self.root}/proc'))


@dataclasses.dataclass
class Life:
    """What was seen of one life: the knobs after each step, and the rest before its end or at it."""
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


def shortage(tree):
    tree.memory(free=1_000_000)


def pressed(tree):
    """Enough is free, and guests may want more than there is."""
    tree.memory(free=5_000_000)
    tree.guest(200, 3_500_000)


def churn(tree):
    tree.guest(201, 3_500_000)
    tree.end_guest(200)


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
# ksmd makes a pass in each wait of the adaptive policy, which comes to rest in these.
ADAPTIVE_WAITS = 4


def live(injector, programs, folder, policy, rule=None, lift=LIFTED, log=False):
    """A whole life of the daemon in a new tree."""
    folder = pathlib.Path(folder)
    folder.mkdir()
    tree = Tree(folder / 'host', policy)
    life = Life(log=str(folder / 'log'))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as manager:
        manager.bind(f'{folder}/notify')
        program = Injected(injector, [programs['ksmtuned'], '--root', tree.root], tree.root, rule, life.log if log else None,
                           {'NOTIFY_SOCKET': f'{folder}/notify'}, folder)

        def hear():
            with contextlib.suppress(BlockingIOError):
                while True:
                    life.notified.append(manager.recv(65536).decode(errors='replace'))

        def seen(step, alive):
            hear()
            if program.hits and life.hit is None:
                life.hit = step
            if alive:
                tree.scan()
                life.knobs[step], life.passes[step] = tree.knobs(), tree.passes
                life.said[step] = program.said().count('\n')
                with contextlib.suppress(OSError):
                    life.states[step] = pathlib.Path(f'{tree.root}/run/ksmtuned/state').read_text()
            return alive

        def wait(times, seconds=0):
            """So many waits, and for at least so long."""
            alive, passed = True, 0
            while alive and (times > 0 or passed < seconds):
                times, passed = times - 1, passed + program.waits / 1e9
                tree.scan()
                hear()
                assert program.waits >= 0, 'it would wait for ever'
                alive = program.go('advance')
            return alive

        waits = ADAPTIVE_WAITS if policy == 'adaptive' else 0
        alive = seen('start', program.until_idle() and wait(waits))
        for name, change, number, pause in STEPS:
            if not alive:
                break
            program.tell(f'step {name}')
            if name == lift and rule and rule.startswith('lasting'):
                program.tell('lift')
            change(tree)
            alive = program.go(f'signal {int(getattr(signal, "SIG" + number))}') if number else True
            alive = seen(name, alive and wait(waits if number else 1, pause))
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
    life.messages, life.found = program.said().splitlines(), tree.found
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
