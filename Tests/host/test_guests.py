"""ksmctl on a host with real guests: every number that it shows is compared with what /proc and sysfs say.

Two Linux machines in QEMU, and a third one that must not be merged, are booted once for all tests here; the daemon runs
on this host's own KSM until they are merged. Then one is swapped out in part, one gets a balloon, and one a DIMM. The
tests behind `without_daemon` come last, and end it.

They need root, QEMU, 3 GiB of available memory, and a host on which neither KSM nor another ksmtuned is in use.
"""
import contextlib, json, os, re, signal, subprocess
import pytest
from shared.kernel import MIB, PAGE, cpu_time, kept_aside, ksm, meminfo, need_memory, pid_of_ksmd, read
from shared.machines import Monitor, add_module, build_image, qemu, write_initrd
from shared.needs import Missing, need, need_programs
from shared.processes import wait_for
from shared.swapping import MemoryGroup, swap_file
from shared.tested import HISTORY, TestStage, state

LIMIT = 240                             # seconds to boot and to merge; QEMU emulates where there is no virtualization
NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
NAMES = ('alpha', 'beta', 'gamma')
DIMM = 1024                             # MiB: what was added shows when a guest holds half a GiB more than at its start
FILLED = 512                            # MiB
WHOLE = 1024                            # MiB of the machine with the balloon, of which it writes to FREED, and frees them
FREED = 256
# What a machine runs: all have the balloon's driver; one frees memory that its host then still holds for it, which is
# what a balloon gives back; one waits for more memory than it has, and writes to it.
PAYLOAD = f'''
[ ! -f virtio_balloon.ko ] || ./insmod ./virtio_balloon.ko
if grep -q use_and_free /proc/cmdline; then
    mkdir /tmp/used && mount -t tmpfs -o size={FREED + 1}M tmpfs /tmp/used
    yes | head -c {FREED}M > /tmp/used/words && umount /tmp/used || exit
fi
echo ready
if grep -q fill_what_comes /proc/cmdline; then
    read -r _ before _ < /proc/meminfo
    until read -r _ now _ < /proc/meminfo && [ "$now" -gt $((before + {DIMM} * 1000)) ]; do sleep 1; done
    mkdir /tmp/filled && mount -t tmpfs -o size={FILLED + 1}M tmpfs /tmp/filled
    fallocate -l {FILLED}M /tmp/filled/zeros && echo filled
fi
exec sleep infinity
'''


class Host(TestStage):
    """This host with three machines and the daemon, and what ksmctl says of them."""

    def ksmctl(self, *words, status=(0,), wrapper=()):
        """Standard output of a command that ends with one of these exit statuses."""
        environment = dict(PATH=os.environ['PATH'], LC_ALL='C.UTF-8', PIDFILE=self.running.pid_file)
        done = super().ksmctl(*words, environment=environment, wrapper=wrapper or ['env'])
        assert done.returncode in status, f'exit status of ksmctl {" ".join(words)}: {done.stderr.strip()[-500:]}'
        return done.stdout

    def json(self, *words, **settings):
        return json.loads(self.ksmctl(*words, '--json', **settings))

    def boot(self, name, *options, merge='on', memory=384, slots='', append='', before=None):
        """A guest as libvirt would run it."""
        log, monitor = self.folder / f'{name}.log', self.folder / f'{name}.monitor'
        command = qemu(self.image, self.folder / 'initrd', [log, None], '-name', f'guest={name},debug-threads=on', *options,
                       '-qmp', f'unix:{monitor},server=on,wait=off', merge=merge, memory=f'size={memory * 1024}k{slots}',
                       append=append)
        machine = self.start(command, before, stdout=subprocess.DEVNULL)
        machine.log, machine.name, machine.monitor, machine.memory = log, name, monitor, memory
        return machine

    @contextlib.contextmanager
    def optional(self, name):
        """What only one of the tests needs, which is skipped without."""
        try:
            yield
        except Missing as missing:
            self.missing[name] = str(missing)

    def need(self, name):
        need(name not in self.missing, self.missing.get(name))

    @contextlib.contextmanager
    def awake(self, name):
        """A machine runs on, and its monitor answers."""
        machine = self.machine(name)
        machine.send_signal(signal.SIGCONT)
        with contextlib.closing(Monitor(machine.monitor)) as monitor:
            yield machine, monitor

    def compared_with_proc(self, name):
        """What `guests` says of a machine that stands still, and /proc/PID/status in bytes, which did not change
        meanwhile: the kernel may swap and merge at any time."""
        def same():
            before = status(self.machine(name).pid)
            _, told = self.compared()
            return before == status(self.machine(name).pid) and (told[name], before)
        return wait_for(f'a moment in which the memory of {name} stays as it is', same)

    def row(self, name, *options):
        """Cells of the table by their titles."""
        titles, *rows = [re.split(' {2,}', line.strip()) for line in self.ksmctl('guests', *options).splitlines()]
        return dict(zip(titles, next(row for row in rows if row[1:2] == [name])))

    def compared(self):
        """What `guests` says of each machine by its name, while all of them stand still."""
        for machine in self.machines:
            machine.send_signal(signal.SIGSTOP)
        report = self.json('guests')
        told = {guest['pid']: guest for guest in report['guests']}
        assert {machine.pid for machine in self.machines} <= set(told), 'pids of the guests'
        return report, {machine.name: told[machine.pid] for machine in self.machines}

    def need_no_other_guests(self):
        """What counts all guests of this host can be compared only where the machines here are all."""
        others = {guest['pid'] for guest in self.json('guests')['guests']} - {machine.pid for machine in self.machines}
        need(not others, f'other guests run on this host (process {min(others, default=0)}), which are counted too')

    def machine(self, name):
        return next(machine for machine in self.machines if machine.name == name)


def booted(machine, word='ready'):
    assert machine.poll() is None, f'the machine {machine.name} ended with {machine.returncode}'
    return machine.log.exists() and word in read(machine.log)


def status(pid):
    """The amounts of memory of /proc/PID/status in bytes."""
    return {name: int(kib) * 1024 for name, kib in re.findall(r'(?m)^(Vm\w+):\s+(\d+) kB$', read(f'/proc/{pid}/status'))}


def resident_in(pid, mib):
    """Bytes of the mapping of that size, which is a machine's memory: of the rest of QEMU a balloon takes nothing."""
    maps = re.findall(r'(?m)^Size:\s+(\d+) kB$(?:\n\w.*$)*?\nRss:\s+(\d+) kB$', read(f'/proc/{pid}/smaps'))
    return max(int(rss) * 1024 for size, rss in maps if int(size) == mib * 1024)


def shows(cell, amount):
    """Whether a cell of a table is this amount of bytes, rounded."""
    number, unit = re.fullmatch(r'([\d.]+) ([KMG])iB\+?', cell).groups()
    step = 1024 ** ('KMG'.index(unit) + 1)
    return abs(float(number) * step - amount) <= (.1 * step if '.' in number else step)


def saved():
    return (ksm('pages_sharing') + (ksm('ksm_zero_pages') or 0)) * PAGE


@pytest.fixture(scope='module')
def host(own_ksm, programs):
    need_programs('setpriv:util-linux')
    need_memory(3072)
    programs.ksmctl
    image, _ = build_image()
    with kept_aside(HISTORY), contextlib.ExitStack() as behind, Host.new(programs) as host:
        host.image, host.missing = image, {}
        payload = host.folder / 'stage/payload'
        payload.mkdir(parents=True)
        (payload / 'test').write_text(PAYLOAD)
        with host.optional('driver'):
            add_module('virtio_balloon', image, payload)
        write_initrd(host.folder / 'initrd', image, host.folder / 'stage')
        host.group = None
        with host.optional('group'):
            host.group = behind.enter_context(MemoryGroup.new())
        alpha = host.boot('alpha', '-device', 'virtio-balloon-pci,deflate-on-oom=on', memory=WHOLE, append='use_and_free')
        beta = host.boot('beta', before=host.group and host.group.join)
        # Where it can get memory above 4 GiB, the kernel would set 64 MiB aside for devices that cannot reach it.
        gamma = host.boot('gamma', merge='off', memory=256, slots=f',slots=1,maxmem={256 + DIMM}M',
                          append='fill_what_comes swiotlb=noforce')
        host.machines = [alpha, beta, gamma]
        host.running = host.daemon('KSM_POLICY=adaptive\nKSM_ON_EXIT=keep\n')
        wait_for('the boot of three machines', lambda: all(map(booted, host.machines)), LIMIT, pause=.2)

        def settled():
            host.running.expect_running()
            return ksm('run') == 0 and saved() > 50 * MIB and state().get('REASON') == 'nothing-to-gain'
        wait_for('merged guests and a daemon at rest', settled, LIMIT, pause=.2)
        yield host


@pytest.fixture
def stage(host):
    """For the report of a failure."""
    return host


@pytest.fixture(scope='module')
def at_rest(host):
    """The machines stand still, and the daemon has seen that."""
    host.compared()
    before = host.running.stamp()
    wait_for('the daemon at rest', lambda: host.running.stamp() != before and ksm('run') == 0)
    return host


@pytest.fixture(scope='module')
def without_daemon(host):
    """What was saved when the daemon had ended."""
    host.compared()
    host.running.end()
    return saved()


# --- guests --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('name', NAMES)
def test_guests_shows_of_a_machine_what_proc_says(stage, name):
    _, told = stage.compared()
    guest, proc = told[name], f'/proc/{stage.machine(name).pid}'
    stat = dict(re.findall(r'(\w+):? (-?\w+)', read(f'{proc}/ksm_stat')))
    assert guest['name'] == name
    assert guest['resident_bytes'] == int(read(f'{proc}/statm').split()[1]) * PAGE
    assert guest['merged_bytes'] == int(read(f'{proc}/ksm_merging_pages')) * PAGE
    assert guest['zero_bytes'] == int(stat['ksm_zero_pages']) * PAGE
    assert guest['profit_bytes'] == int(stat['ksm_process_profit'])
    assert guest['uid'] == os.stat(proc).st_uid
    assert guest['vcpus'] == 1


def test_guests_shows_memory_balloon_and_why_a_machine_is_not_merged(stage):
    _, told = stage.compared()
    assert told['alpha']['configured_bytes'] == WHOLE * MIB
    assert told['beta']['configured_bytes'] == 384 * MIB
    assert told['alpha']['balloon'] == 'autodeflate'
    assert told['beta']['balloon'] == 'none'
    assert told['alpha']['mergeable'] and told['beta']['mergeable']
    assert told['gamma']['mergeable'] is False and 'mem-merge=off' in told['gamma']['obstacles']
    assert told['gamma']['merged_bytes'] == 0


def test_guests_adds_them_up(stage):
    report, _ = stage.compared()
    for key in ('resident_bytes', 'merged_bytes', 'profit_bytes', 'configured_bytes'):
        assert report['totals'][key] == sum(guest[key] for guest in report['guests']), key


def test_guests_shows_nobody_the_guest_and_nothing_of_what_is_merged(stage):
    stage.compared()
    hidden = stage.json('guests', wrapper=NOBODY)
    mine = next(guest for guest in hidden['guests'] if guest['pid'] == stage.machines[0].pid)
    assert 'merged_bytes' not in mine and mine['resident_bytes'] > 0
    print(stage.ksmctl('guests'))


# --- status and explain --------------------------------------------------------------------------------------------

def test_status_shows_knobs_and_counters_as_the_kernel_does(stage, at_rest):
    report = stage.json('status')
    for name, value in [*report['knobs'].items(), *report['counters'].items()]:
        if name != 'advisor_mode':
            assert value == ksm(name), name


def test_status_shows_what_is_saved_and_who_decided(stage, at_rest):
    report = stage.json('status')
    assert report['savings']['saved_bytes'] == saved()
    assert report['savings']['profit_bytes'] == ksm('general_profit')
    assert report['daemon']['pid'] == stage.running.pid
    assert report['memory']['total_bytes'] == meminfo('MemTotal') * 1024
    assert saved() > 50 * MIB, 'something is saved'
    print(stage.ksmctl('status'))


def test_status_shows_how_many_guests_the_daemon_has_counted(stage, at_rest):
    stage.need_no_other_guests()
    assert stage.json('status')['decision']['guests'] == len(stage.machines)


def test_status_shows_the_CPU_time_of_ksmd_since_boot(stage, at_rest):
    shown = stage.json('status')['ksmd']['ksmd_cpu_seconds']
    assert abs(shown - cpu_time(pid_of_ksmd()) / 1e9) < .5


def test_explain_and_status_give_the_same_sentence(stage, at_rest):
    explained = stage.json('explain')
    assert explained['sentence'] == stage.json('status')['decision']['sentence']
    assert any(step['name'] == 'threshold' for step in explained['steps'])
    print(stage.ksmctl('explain'))


# --- doctor, history, plan -----------------------------------------------------------------------------------------

def test_doctor_has_evidence_and_a_remedy_for_all_that_it_finds(stage):
    report = stage.json('doctor', status=(0, 1, 2))
    for one in report['checks']:
        if one['verdict'] in ('warn', 'fail'):
            assert one.get('evidence') and one.get('remedy'), one['id']
    assert len({one['id'] for one in report['checks']}) > 15, 'it looks at something'
    print(stage.ksmctl('doctor', status=(0, 1, 2)))


def test_the_history_has_records(stage):
    assert len(stage.json('history')['records']) > 2


def test_plan_counts_the_guests_by_their_command_lines_and_no_less_than_they_hold(stage):
    stage.need_no_other_guests()
    _, told = stage.compared()
    planned = stage.json('plan', status=(0, 1, 2))['guests']
    counted = {group['name']: group['memory_bytes'] for group in planned['groups']}
    assert counted == {name: told[name]['needed_bytes'] for name in NAMES}
    for machine in stage.machines:
        proc = status(machine.pid)
        assert counted[machine.name] == max(machine.memory * MIB, proc['VmRSS'] + proc['VmSwap']), machine.name
    assert planned['memory_bytes'] == sum(counted.values())


# --- A machine that is swapped out in part, one with a balloon, one with a DIMM ------------------------------------

@pytest.fixture
def beta_swapped(stage):
    """64 MiB of it at least."""
    stage.need('group')
    stage.compared()
    pid = stage.machine('beta').pid
    with swap_file(512), stage.group.limited(lambda: status(pid)['VmSwap'] > 64 * MIB):
        yield int(read(stage.group.limit_file))


def test_guests_shows_of_a_swapped_machine_what_proc_says_and_its_limit(stage, beta_swapped):
    guest, proc = stage.compared_with_proc('beta')
    assert guest['swapped_bytes'] == proc['VmSwap'] > 64 * MIB
    assert guest['resident_bytes'] == proc['VmRSS']
    assert guest['configured_bytes'] == 384 * MIB
    assert guest['needed_bytes'] == max(384 * MIB, proc['VmRSS'] + proc['VmSwap'])
    row = stage.row('beta')
    assert shows(row['SWAPPED'], proc['VmSwap']) and shows(row['RESIDENT'], proc['VmRSS']), row

    assert guest['cgroup']['memory_max_bytes'] == beta_swapped < 384 * MIB
    assert guest['cgroup']['needed_bytes'] > 384 * MIB, 'what it needs beside a limit below it'
    row = stage.row('beta', '--limits')
    assert shows(row['MEM.MAX'], beta_swapped) and shows(row['MEMORY'], 384 * MIB), row
    notes = stage.json('guests', '--limits')['notes']
    assert any('beta' in note and stage.group.limit_file in note for note in notes), notes
    print(stage.ksmctl('guests'), stage.ksmctl('guests', '--limits'), sep='')


def test_guests_adds_up_what_is_swapped(stage, beta_swapped):
    stage.compared_with_proc('beta')
    report, told = stage.compared()
    assert report['totals']['swapped_bytes'] == sum(guest['swapped_bytes'] for guest in report['guests'])
    assert told['alpha']['swapped_bytes'] + told['beta']['swapped_bytes'] + told['gamma']['swapped_bytes'] > 64 * MIB


def test_guests_shows_what_a_balloon_took(stage):
    stage.need('driver')
    whole, left = WHOLE * MIB, 192 * MIB
    before, proc = stage.compared_with_proc('alpha')
    assert before['ballooned_bytes'] == whole - proc['VmRSS'] - proc['VmSwap'] > 0, 'what it never used'
    with stage.awake('alpha') as (machine, monitor):
        assert monitor('query-balloon')['actual'] == whole
        monitor('balloon', value=left)
        try:
            # A guest that runs short on the way lets go of some, and begins again.
            wait_for('an inflated balloon', lambda: monitor('query-balloon')['actual'] <= 320 * MIB, 60, pause=.1)
        except AssertionError:
            pytest.skip('the driver of this guest did not inflate its balloon')
        left = monitor('query-balloon')['actual']
    after, proc = stage.compared_with_proc('alpha')
    assert after['balloon'] == 'autodeflate'
    assert after['configured_bytes'] == after['needed_bytes'] == whole, 'it can have it all back'
    assert after['resident_bytes'] == proc['VmRSS']
    assert after['ballooned_bytes'] == whole - proc['VmRSS'] - proc['VmSwap']
    assert after['ballooned_bytes'] - before['ballooned_bytes'] > FREED * MIB / 2, 'much of what it had freed, at least'
    resident = resident_in(machine.pid, WHOLE)
    assert resident <= left, 'the balloon took all but that'
    assert after['ballooned_bytes'] >= whole - left - (proc['VmRSS'] - resident), 'all but what QEMU has beside'
    print(stage.ksmctl('guests'))


@pytest.fixture(scope='module')
def gamma_grown(host):
    """It got a DIMM while it ran, and uses it. QEMU's own account of its memory."""
    with host.awake('gamma') as (machine, monitor):
        monitor('object-add', **{'qom-type': 'memory-backend-ram', 'id': 'plugged', 'size': DIMM * MIB})
        monitor('device_add', driver='pc-dimm', id='dimm', memdev='plugged')
        wait_for('a guest that uses its new memory', lambda: booted(machine, 'filled'), LIMIT, pause=.2)
        return monitor('query-memory-size-summary')


def test_guests_shows_that_a_machine_has_grown_by_a_DIMM(stage, gamma_grown):
    assert gamma_grown == {'base-memory': 256 * MIB, 'plugged-memory': DIMM * MIB}
    guest, proc = stage.compared_with_proc('gamma')
    assert guest['configured_bytes'] == gamma_grown['base-memory'], 'what it was started with'
    assert guest['resident_bytes'] == proc['VmRSS']
    assert guest['needed_bytes'] == proc['VmRSS'] + proc['VmSwap'] > (256 + 512) * MIB
    assert guest['has_grown']
    assert stage.row('gamma')['MEMORY'].endswith('+'), 'the table shows it'
    _, told = stage.compared()
    assert not told['alpha']['has_grown'] and not told['beta']['has_grown']
    print(stage.ksmctl('guests'))


def test_plan_counts_a_machine_that_has_grown_with_what_it_holds(stage, gamma_grown):
    guest, _ = stage.compared_with_proc('gamma')
    planned = stage.json('plan', status=(0, 1, 2))
    group = next(group for group in planned['guests']['groups'] if group['name'] == 'gamma')
    assert group['memory_bytes'] == guest['needed_bytes'] and group['outgrown_bytes'] == 256 * MIB, group


# --- Without the daemon --------------------------------------------------------------------------------------------

def test_status_without_the_daemon_shows_what_is_saved(stage, without_daemon):
    assert stage.json('status', status=(3,))['savings']['saved_bytes'] == without_daemon


def test_unmerge_gives_back_what_was_merged_and_the_guests_live_on(stage, without_daemon):
    assert stage.json('unmerge')['saved_bytes'] == without_daemon
    assert ksm('pages_sharing') == 0
    for machine in stage.machines:
        before = cpu_time_of_threads(machine.pid)
        machine.send_signal(signal.SIGCONT)
        wait_for(f'life in {machine.name}', lambda: cpu_time_of_threads(machine.pid) > before)
    assert all(machine.poll() is None for machine in stage.machines)


def cpu_time_of_threads(pid):
    return sum(cpu_time(f'{pid}/task/{thread}') for thread in os.listdir(f'/proc/{pid}/task'))
