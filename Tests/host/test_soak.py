"""A long life in minutes: the real program on a tree, in time that jumps, and nothing grows.

    run soak --soak-ticks 1000000 --processes 10000     a third of the ticks by each policy

Nearly all ticks are lived among a few hundred processes; one in a hundred, in the middle, among all of --processes, a
tenth of them guests. Each policy meets its share of 100,000 uevents and 10,000 signals per million ticks. What is
compared is a look after the first thousand ticks and one at the end, with as many processes: memory, descriptors, files,
KSM's state. Memory may grow by the tables that the crowd took, and not after it. hasten.c makes time jump. It needs root (for a mount namespace) and a C compiler; the kernel's own KSM is
hidden from the program.
"""
import contextlib, os, random, signal, socket, struct, subprocess, tempfile, time
import pytest
from shared import soak
from shared.kernel import KSM, read, write
from shared.needs import compiler, need
from shared.processes import LIMIT
from shared.tested import HERE, TestStage
from shared.tree import PLACES, Tree
from shared.world import inside, need_world

POLICIES = 'classic', 'adaptive', 'advisor'
FEW, FEW_GUESTS = 270, 30
# What the tables of a crowd take, which the allocator keeps: bytes for each of its processes.
TABLES = 32
EVERY = 100                             # ticks between two changes of the tree
EVENTS = 12                             # uevents at each change, and one signal or two
SHORT, AT_EASE = 'KSM_THRES_COEF=60\n', 'KSM_THRES_COEF=20\n'
SHARED_MEMORY = '/dev/shm'


@pytest.fixture
def stage(programs):
    need_world()
    compiler()
    need(os.path.isdir(KSM), 'this kernel has no KSM, whose folder the tree is laid over')
    programs.daemon
    with TestStage.new(programs) as stage:
        yield stage


class Life:
    """A daemon on a tree, driven from change to change."""

    def __init__(self, stage, folder, policy, seed):
        self.random = random.Random(seed)
        self.tree = Tree(folder, self.random)
        self.text = f'PIDFILE=/run/ksmtune.pid\nKSM_POLICY={policy}\nKSM_PRESSURE=off\nKSM_ON_EXIT=restore\n'
        self.tree.resize(FEW, FEW_GUESTS)           # before it looks: no process of the kernel's is half made
        self.configuration = f'{folder}/ksmtuned.conf'
        write(self.configuration, self.text + SHORT)
        self.ticks, self.counts = 0, dict(uevents=0, USR1=0, HUP=0)
        self.control, theirs = socket.socketpair()
        self.control.settimeout(LIMIT)
        self.uevents, heard = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        library = f'{stage.folder}/hasten.so'
        subprocess.run([compiler(), '-shared', '-fPIC', '-O2', '-o', library, HERE / 'hasten.c'], check=True)
        self.errors = f'{stage.folder}/said'
        with open(self.errors, 'w') as f, theirs, heard:
            self.process = stage.start(
                [*inside(folder, PLACES), 'env', f'LD_PRELOAD={library}', f'HASTEN_EVERY={EVERY}',
                 f'HASTEN_CONTROL={theirs.fileno()}', f'HASTEN_UEVENTS={heard.fileno()}', 'LC_ALL=C', 'TZ=UTC0',
                 stage.programs.daemon, '--config', self.configuration],
                stdout=f, stderr=f, pass_fds=[theirs.fileno(), heard.fileno()])
        self.pid = self.process.pid
        self.folders = [f'{folder}/run', f'{folder}/var/lib']

    def stop(self):
        """The next time that it stands still: its ticks so far."""
        try:
            got = self.control.recv(8, socket.MSG_WAITALL)
        except TimeoutError:
            raise AssertionError(f'it does not tick any more in {LIMIT} s:\n{read(self.errors)[-500:]}') from None
        assert len(got) == 8, f'it ended with {self.process.wait(LIMIT)}:\n{read(self.errors)[-500:]}'
        self.ticks, = struct.unpack('=Q', got)

    def go(self):
        self.control.send(b'.')

    def look(self):
        return soak.look(self.pid, self.folders, self.tree.ksm)

    def change(self, count):
        tree = self.tree
        tree.churn(count)
        tree.scan(self.random.randint(1000, 1_000_000))
        creators = [*tree.guests, *tree.processes]
        for _ in range(EVENTS // 2):
            pid = self.random.choice(creators)
            for kind in ('create', 'destroy'):
                self.uevents.send(f'change@/devices/virtual/misc/kvm\0ACTION=change\0DEVPATH=/devices/virtual/misc/kvm\0'
                                  f'SUBSYSTEM=misc\0EVENT={kind}\0PID={pid}\0STATS_PATH=/x\0SEQNUM=1\0'.encode())
                self.counts['uevents'] += 1
        dice = self.random.random()
        if dice < .8 or dice > .9:
            self.signal('USR1')
        if dice > .8:
            write(self.configuration, self.text + self.random.choice([SHORT, SHORT, AT_EASE]))
            self.signal('HUP')

    def signal(self, name):
        os.kill(self.pid, getattr(signal, f'SIG{name}'))
        self.counts[name] += 1

    def live(self, until, count):
        """So many ticks in all, and `count` processes changed at each change; stands still at the end."""
        while True:
            self.go()
            self.stop()
            if self.ticks >= until:
                return
            self.change(count)

    def rest(self):
        """Some changes later, with the same number of processes and nothing more to hear: it has seen it all."""
        self.tree.resize(FEW, FEW_GUESTS)
        write(self.configuration, self.text + AT_EASE)
        self.signal('HUP')
        self.tree.free = 200 << 20
        self.tree.say_memory()
        for _ in range(20):
            self.tree.scan_in_vain()
            self.go()
            self.stop()

    def end(self):
        os.kill(self.pid, signal.SIGTERM)
        self.go()
        with contextlib.suppress(OSError):
            while self.process.poll() is None and self.control.recv(8, socket.MSG_WAITALL):
                self.go()
        return self.process.wait(LIMIT)


@pytest.mark.parametrize('policy', POLICIES)
def test_a_long_life_in_time_that_jumps(stage, request, table, policy):
    option = request.config.option
    ticks = option.soak_ticks // len(POLICIES)
    need(ticks >= 6000, f'{option.soak_ticks} ticks are too few: 18,000 are needed')
    where = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix='ksmtuned-soak.', dir=where) as folder:
        began = time.monotonic()
        life = Life(stage, folder, policy, f'{option.seed} {policy}')
        life.stop()
        life.live(1000, 3)
        life.rest()
        looks = {'after the first thousand ticks': life.look()}
        life.live(ticks // 2, 3)
        life.tree.resize(option.processes * 9 // 10, option.processes // 10)
        until = life.ticks + max(ticks // 100, EVERY)
        begun_crowd = time.monotonic()
        life.live(until, 30)
        crowd = time.monotonic() - begun_crowd
        looks[f'among {option.processes} processes'] = life.look()
        life.rest()
        looks['few again'] = again = life.look()
        life.live(ticks, 3)
        life.rest()
        looks[f'at the end, {life.ticks} ticks'] = last = life.look()
        status = life.end()
        said = read(life.errors).splitlines()
        table(f'soak, {policy}: {life.ticks} ticks in {time.monotonic() - began:.0f} s ({crowd:.0f} s of it among '
              f'{option.processes} processes), seed {option.seed}, {life.counts}, {life.tree.counts}, {len(said)} messages',
              soak.HEAD, *(soak.row(name, look) for name, look in looks.items()))
        first = next(iter(looks.values()))
        assert not (lines := soak.grown(first, last, option.processes * TABLES >> 10)), '\n'.join(lines)
        assert not (lines := soak.grown(again, last)), 'since the crowd has gone:\n' + '\n'.join(lines)
        assert status == 0, f'exit status; it said at last:\n{said[-3:]}'
        assert not soak.files([f'{folder}/run']), 'files are left'
        after = soak.ksm_state(life.tree.ksm)
        assert after['run'] == '0', f'KSM at the end: {after}'
        assert life.counts['uevents'] and life.counts['HUP'], 'nothing happened'
