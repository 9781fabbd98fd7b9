"""The real daemon hears of real virtual machines and of real memory pressure.

It runs with --dry-run, so KSM stays as it is, and may be in use. Machines are made with /dev/kvm, most of them without
QEMU; pressure comes from a process in a memory cgroup that is too small for it.

They need root and /dev/kvm. What single tests need besides (QEMU, a memory cgroup, unshare) they are skipped without.
"""
import ctypes, functools, os, re, shutil, signal, socket, struct, subprocess, sys, time
import pytest
from shared.kernel import read, write
from shared.needs import Missing, need, need_root
from shared.processes import LIBC, LIMIT, wait_for
from shared.tested import QUIET, Daemon, TestStage, need_namespaces

KVM, PRESSURE = '/dev/kvm', '/proc/pressure/memory'
DEAF = 'KSM_PRESSURE=off\n'

# A process that makes machines and holds memory.  It says a line when it has done what its arguments ask for: the
# number of machines, MiB of memory, and whether another thread makes them and ends.
VMM = '''
import fcntl, mmap, os, sys, threading
machines, memory, in_thread = int(sys.argv[1]), int(sys.argv[2]) << 20, sys.argv[3] == 'thread'
held = mmap.mmap(-1, memory)
for offset in range(0, memory, 4096):
    held[offset] = 1
kvm, made = os.open('/dev/kvm', os.O_RDWR | os.O_CLOEXEC), []
def make():
    made.extend(fcntl.ioctl(kvm, 0xAE01, 0) for _ in range(machines))      # KVM_CREATE_VM
if in_thread:
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
else:
    make()
print('ready', flush=True)
sys.stdin.readline()
for machine in made:
    os.close(machine)
print('destroyed', flush=True)
sys.stdin.readline()
'''

# Reads a file that does not fit into its cgroup, over and over, in two processes.
HOG = '''
import mmap, os, sys
with open(sys.argv[2], 'w') as f:
    f.write(str(os.getpid()))
os.fork()
with open(sys.argv[1], 'rb') as f:
    held = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
    while True:
        for offset in range(0, len(held), 4096):
            held[offset]
'''


class Disturbed(Missing):
    """Another program of this machine made a virtual machine meanwhile."""


class EventStage(TestStage):
    """What a test starts, and what the kernel announces meanwhile."""

    def __init__(self, folder, programs):
        super().__init__(folder, programs)
        self.heard = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 15)
        self.heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.heard.bind((0, 1))

    def vmm(self, machines=1, memory=1, thread=False):
        process = self.start([sys.executable, '-c', VMM, machines, memory, 'thread' if thread else 'self'],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == 'ready\n', 'a machine cannot be made'
        return process

    def destroy(self, vmm):
        """Destroys the machines of a process, which goes on."""
        vmm.stdin.write('\n')
        vmm.stdin.flush()
        assert vmm.stdout.readline() == 'destroyed\n', 'the machines were not destroyed'

    def daemon(self, *texts, **settings):
        return super().daemon(*texts, kind=DryDaemon, **settings)

    def announced(self):
        """The numbers that the kernel announced since the last call."""
        numbers = set()
        while True:
            try:
                message = self.heard.recv(8192)
            except BlockingIOError:
                return numbers
            if message.startswith(b'change@/devices/virtual/misc/kvm\0'):
                numbers |= set(map(int, re.findall(rb'\0PID=(\d+)\0', message)))

    def check_quiet(self):
        """Of a thread that has ended the number is nobody's; the other numbers are our processes'."""
        own = {process.pid for process in self.started}
        foreign = {n for n in self.announced() - own if os.path.exists(f'/proc/{n}')}
        if foreign:
            raise Disturbed(f'process {min(foreign)} made virtual machines at the same time')


class DryDaemon(Daemon):
    """A running ksmtuned that writes nothing, and what it decides."""

    def __init__(self, stage, configuration, **settings):
        super().__init__(stage, configuration, arguments=['--dry-run', '--debug'], **settings)

    def samples(self):
        """What the guests held at each decision, in KiB."""
        return list(map(int, re.findall(r'(?m)^ksmtuned: committed (\d+) free', self.said())))

    def decided(self, after, limit=LIMIT):
        """The sample of the next decision after that many, and when it came."""
        samples = wait_for('a decision', lambda: self.samples()[after:], limit)
        return samples[0], time.monotonic()

    def decide(self):
        before = len(self.samples())
        self.signal('USR1')
        return self.decided(before)[0]

    def rests(self, seconds, decisions):
        """It makes no further decision for some time."""
        time.sleep(seconds)
        assert len(self.samples()) == decisions, f'{len(self.samples())} decisions, wanted {decisions}'

    def comes_to_rest(self, seconds, limit=LIMIT):
        """It stops deciding: after a window or two of the kernel's, whose other processes may feel pressure too."""
        seen, since, until = len(self.samples()), time.monotonic(), time.monotonic() + limit
        while time.monotonic() - since < seconds:
            assert time.monotonic() < until, \
                f'{len(self.samples())} decisions, and no {seconds} s without one in {limit} s'
            time.sleep(.05)
            if len(self.samples()) != seen:
                seen, since = len(self.samples()), time.monotonic()

    def wakeups(self):
        return int(re.search(r'(?m)^voluntary_ctxt_switches:\s+(\d+)', read(f'/proc/{self.pid}/status'))[1])


@pytest.fixture(scope='module')
def kvm(programs):
    need_root()
    need(os.access(KVM, os.R_OK | os.W_OK), f'no {KVM} here')
    programs.daemon


@pytest.fixture
def stage(kvm, programs):
    with EventStage.new(programs) as stage, stage.heard:
        yield stage


def undisturbed(test, attempts=3):
    """The test again where another program of this machine made virtual machines meanwhile, three times at most."""
    @functools.wraps(test)
    def repeated(stage, **fixtures):
        for attempt in range(1, attempts + 1):
            try:
                try:
                    return test(stage=stage, **fixtures)
                except AssertionError:
                    stage.check_quiet()             # it may be the reason
                    raise
            except Disturbed:
                if attempt == attempts:
                    raise
            stage.clear()
            stage.announced()
    return repeated


# --- Virtual machines ----------------------------------------------------------------------------------------------

@undisturbed
def test_a_hundred_machines_are_one_decision_one_second_after_the_first(stage):
    daemon = stage.daemon(QUIET, DEAF)
    began = time.monotonic()
    stage.vmm(machines=100)
    held, at = daemon.decided(after=1)
    assert at - began >= 1, f'the decision came after {at - began:.2f} s'
    daemon.rests(1.5, decisions=2)
    stage.check_quiet()


@undisturbed
def test_who_has_a_machine_is_a_guest_whatever_its_name_until_it_has_none(stage):
    daemon = stage.daemon(QUIET, DEAF)
    before = daemon.samples()[-1]
    vmm = stage.vmm(machines=2, memory=200)
    held, _ = daemon.decided(after=1)
    assert held - before >= 200 << 10, f'guests hold {held} KiB, before {before}'
    for _ in range(2):                                   # a listing does not lose it, nor a second one
        held = daemon.decide()
        assert held - before >= 200 << 10, f'after a listing guests hold {held} KiB, before {before}'
    stage.destroy(vmm)
    held, _ = daemon.decided(after=4)
    assert held - before < 100 << 10, f'without machines it holds {held} KiB, before {before}'
    stage.check_quiet()


@undisturbed
def test_a_machine_that_a_thread_made_counts_in_its_process_once(stage):
    daemon = stage.daemon(QUIET, DEAF)
    before = daemon.samples()[-1]
    stage.vmm(machines=1, memory=200, thread=True)
    held, _ = daemon.decided(after=1)
    # The thread may have ended before the daemon asked whose it was; QEMU's and other VMMs' threads stay.
    assert held - before < 300 << 10, f'guests hold {held} KiB, before {before}'
    stage.check_quiet()


@undisturbed
def test_a_guest_that_ends_is_a_reason_to_decide(stage):
    vmm = stage.vmm(memory=50)
    daemon = stage.daemon(QUIET, DEAF)
    stage.end(vmm)
    daemon.decided(after=1)
    stage.check_quiet()


@undisturbed
def test_machines_are_no_reason_to_decide_where_that_is_switched_off_and_still_guests(stage):
    daemon = stage.daemon(QUIET, DEAF, 'KSM_RETUNE_ON_GUESTS=no\n')
    before = daemon.samples()[-1]
    stage.vmm(memory=200)
    daemon.rests(2, decisions=1)
    held = daemon.decide()
    assert held - before >= 200 << 10, f'guests hold {held} KiB, before {before}'
    stage.check_quiet()


@undisturbed
def test_no_event_is_lost_of_a_thousand_machines_that_come_and_go_while_it_is_busy(stage):
    """As many as the host lets the socket hold, whose messages take 832 bytes each of twice the limit."""
    limit = int(read('/proc/sys/net/core/rmem_max'))
    machines = min(1000, limit * 2 // 832 // 2 * 9 // 10)
    daemon = stage.daemon(QUIET, DEAF)
    daemon.signal('STOP')
    stage.destroy(stage.vmm(machines))
    held, drops = socket_of(daemon.pid)
    assert held > machines * 1000, f'its socket holds {held} bytes'
    assert drops == 0, f'{drops} messages of {machines} machines were dropped'
    daemon.signal('CONT')
    daemon.decided(after=1)
    assert socket_of(daemon.pid) == (0, 0), 'its socket is not empty'
    stage.check_quiet()


def socket_of(pid):
    """How many bytes the daemon's netlink socket holds, and how many messages found no room."""
    links = (os.readlink(f'/proc/{pid}/fd/{name}') for name in os.listdir(f'/proc/{pid}/fd'))
    inodes = {link[8:-1] for link in links if link.startswith('socket:[')}
    for fields in map(str.split, read('/proc/net/netlink').splitlines()[1:]):
        if fields[1] == '15' and fields[9] in inodes:
            return int(fields[4]), int(fields[8])
    raise AssertionError('it has no netlink socket')


@undisturbed
def test_a_qemu_is_a_guest_at_once(stage):
    qemu = shutil.which(f'qemu-system-{os.uname().machine}')
    if not qemu:
        raise Missing(f'no qemu-system-{os.uname().machine} here')
    daemon = stage.daemon(QUIET, DEAF)
    before = daemon.samples()[-1]
    guest = stage.start([qemu, '-accel', 'kvm', '-display', 'none', '-nodefaults', '-S'],
                        stderr=subprocess.DEVNULL)
    held, _ = daemon.decided(after=1)
    assert held - before >= 10 << 10, f'guests hold {held} KiB, before {before}'
    stage.end(guest)
    held, _ = daemon.decided(after=2)
    assert held - before < 10 << 10, f'after its end guests hold {held} KiB, before {before}'
    stage.check_quiet()


@undisturbed
def test_a_network_of_its_own_keeps_nothing_from_it(stage):
    """As the unit has it."""
    need_namespaces('--net')
    daemon = stage.daemon(QUIET, DEAF, wrapper=['unshare', '--net'])
    stage.vmm()
    daemon.decided(after=1)


@undisturbed
def test_in_a_pid_namespace_of_its_own_it_decides_and_takes_nobody_for_a_guest(stage):
    wrapper = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']
    need_namespaces(*wrapper[1:])
    daemon = stage.daemon(QUIET, DEAF, wrapper=wrapper)
    stage.vmm(memory=200)
    held, _ = daemon.decided(after=1)
    assert held == 0, f'guests hold {held} KiB'


@undisturbed
def test_without_netlink_it_says_so_once_and_goes_on(stage):
    daemon = stage.daemon(QUIET, DEAF, before=refuse_netlink)
    stage.vmm()
    daemon.rests(1.5, decisions=1)
    daemon.decide()
    daemon.decide()
    notices = [line for line in daemon.said().splitlines() if 'netlink' in line]
    assert len(notices) == 1, f'it said {notices}'
    assert 'cannot open' in notices[0] and 'next decision' in notices[0], notices[0]


def refuse_netlink():
    """seccomp(2): socket(AF_NETLINK, …) fails with EAFNOSUPPORT, as with RestrictAddressFamilies=."""
    call = dict(x86_64=41, aarch64=198, riscv64=198)[os.uname().machine]
    steps = [(0x20, 0, 0, 0), (0x15, 0, 3, call), (0x20, 0, 0, 16), (0x15, 0, 1, 16), (0x06, 0, 0, 0x00050000 | 97),
             (0x06, 0, 0, 0x7fff0000)]
    code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack('HxxxxxxP', len(steps), ctypes.addressof(code)))
    if LIBC.prctl(38, 1, 0, 0, 0) or LIBC.prctl(22, 2, program, 0, 0):
        os._exit(99)


# --- Memory pressure -----------------------------------------------------------------------------------------------

@undisturbed
def test_pressure_decides_at_once_and_again_while_it_lasts_and_no_more_behind_it(stage, note):
    # A share that any reclaim has; the window is one that the kernel takes from everybody.
    daemon = stage.daemon(QUIET, 'KSM_RETUNE_ON_GUESTS=no\nKSM_PRESSURE="some 1ms/2s"\n')
    expect_pressure_set(daemon)
    hog = press(stage)
    daemon.decided(after=1)
    before, slept, began = len(daemon.samples()), daemon.wakeups(), time.monotonic()
    wait_for('a third decision under pressure', lambda: len(daemon.samples()) >= 3)
    time.sleep(max(0, began + 7 - time.monotonic()))
    seconds = time.monotonic() - began
    decisions, wakeups = len(daemon.samples()) - before, daemon.wakeups() - slept
    note(f'pressure: {decisions} decisions and {wakeups} wakeups in {seconds:.1f} s of pressure')
    assert decisions <= seconds / 2 + 1, f'{decisions} decisions in {seconds:.1f} s'
    assert wakeups <= 10 * (decisions + 1), f'{wakeups} wakeups in {seconds:.1f} s'
    hog()
    daemon.comes_to_rest(4)


@undisturbed
def test_pressure_that_is_switched_off_decides_nothing(stage):
    daemon = stage.daemon(QUIET, DEAF, 'KSM_RETUNE_ON_GUESTS=no\n')
    press(stage)
    daemon.rests(5, decisions=1)


@undisturbed
def test_pressure_of_another_threshold_after_a_reload(stage):
    daemon = stage.daemon(QUIET, DEAF, 'KSM_RETUNE_ON_GUESTS=no\n')
    press(stage)
    daemon.rests(3, decisions=1)
    write(daemon.configuration, QUIET + 'KSM_RETUNE_ON_GUESTS=no\nKSM_PRESSURE="some 1ms/2s"\n')
    daemon.signal('HUP')
    daemon.decided(after=1)                              # the reload's own
    daemon.decided(after=2)


@undisturbed
def test_pressure_by_a_window_that_needs_a_capability_is_told_once(stage):
    if not os.path.exists(PRESSURE):
        raise Missing(f'no {PRESSURE} here')
    # CAP_SYS_RESOURCE is number 24; 24 is PR_CAPBSET_DROP as well.
    drop = lambda: LIBC.prctl(24, 24, 0, 0, 0)
    daemon = stage.daemon(QUIET, 'KSM_PRESSURE="some 150ms/1s"\n', before=drop)
    daemon.decide()
    notices = [line for line in daemon.said().splitlines() if 'pressure' in line]
    assert len(notices) == 1, f'it said {notices}'
    assert 'some 300ms/2s' in notices[0] or 'cannot open' in notices[0], notices[0]


def expect_pressure_set(daemon):
    if 'memory pressure is seen at the next decision' in daemon.said():
        raise Missing('the kernel reports no memory pressure: ' + daemon.said().splitlines()[0])


def memory_cgroup():
    """A new memory cgroup and the name of its limit."""
    for place, kind, options in (line.split()[1:4] for line in read('/proc/mounts').splitlines()):
        name = f'{place}/ksmtuned-events-{os.getpid()}'
        try:
            if kind == 'cgroup2' and 'memory' in read(f'{place}/cgroup.subtree_control').split():
                os.mkdir(name)
                return name, 'memory.max'
            if kind == 'cgroup' and 'memory' in options.split(','):
                os.mkdir(name)
                return name, 'memory.limit_in_bytes'
        except OSError as error:
            raise Missing(f'no memory cgroup can be made here: {error}') from None
    raise Missing('no memory cgroup here')


def press(stage):
    """Lets processes wait for memory, until the check's end or until the result is called."""
    if not os.path.exists(PRESSURE):
        raise Missing(f'no {PRESSURE} here')
    group, limit = memory_cgroup()
    stage.undo.append(lambda: retire(group))
    write(f'{group}/{limit}', str(24 << 20))
    file = f'{stage.folder}/read-me'
    with open(file, 'wb') as f:
        for _ in range(96):
            f.write(os.urandom(1 << 20))
    # Pages that are in memory already would be another cgroup's.
    with open(file, 'rb') as f:
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    total = lambda: int(re.search(r'some .* total=(\d+)', read(PRESSURE))[1])
    before = total()
    stage.start([sys.executable, '-c', HOG, file, f'{group}/cgroup.procs'])
    try:
        wait_for('memory pressure', lambda: total() > before + 20_000, 10)
    except AssertionError:
        raise Missing('processes without enough memory do not wait for it here') from None
    return lambda: retire(group)


def retire(group):
    def ended():
        if not os.path.exists(group):
            return True
        for pid in read(f'{group}/cgroup.procs').split():
            os.kill(int(pid), signal.SIGKILL)
        try:
            os.rmdir(group)
            return True
        except OSError:
            return False
    wait_for('the end of the cgroup', ended)
