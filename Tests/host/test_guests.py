"""ksmctl on a host with real guests: every number that it shows is compared with what /proc and sysfs say.

Two Linux machines in QEMU, and a third one that must not be merged, are booted once for all tests here; the daemon runs
on this host's own KSM until they are merged. The tests behind `without_daemon` come last, and end it.

They need root, QEMU, 2 GiB of available memory, and a host on which neither KSM nor another ksmtuned is in use.
"""
import json, os, re, signal, subprocess
import pytest
from shared.kernel import MIB, PAGE, cpu_time, kept_aside, ksm, meminfo, need_memory, pid_of_ksmd, read
from shared.machines import build_image, qemu, write_initrd
from shared.needs import need, need_programs
from shared.processes import wait_for
from shared.tested import HISTORY, TestStage, state

LIMIT = 240                             # seconds to boot and to merge; QEMU emulates where there is no virtualization
NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
NAMES = ('alpha', 'beta', 'gamma')


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

    def boot(self, name, *options, merge='on', memory=384):
        """A guest as libvirt would run it."""
        log = self.folder / f'{name}.log'
        machine = self.start(qemu(self.image, self.folder / 'initrd', [log, None], '-name', f'guest={name},debug-threads=on',
                                  *options, merge=merge, memory=f'size={memory * 1024}k'), stdout=subprocess.DEVNULL)
        machine.log, machine.name = log, name
        return machine

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


def booted(machine):
    assert machine.poll() is None, f'the machine {machine.name} ended with {machine.returncode}'
    return machine.log.exists() and 'ready' in read(machine.log)


def saved():
    return (ksm('pages_sharing') + (ksm('ksm_zero_pages') or 0)) * PAGE


@pytest.fixture(scope='module')
def host(own_ksm, programs):
    need_programs('setpriv:util-linux')
    need_memory(2048)
    programs.ksmctl
    image, _ = build_image()
    with kept_aside(HISTORY), Host.new(programs) as host:
        host.image = image
        payload = host.folder / 'stage/payload'
        payload.mkdir(parents=True)
        (payload / 'test').write_text('echo ready\nexec sleep infinity\n')
        write_initrd(host.folder / 'initrd', image, host.folder / 'stage')
        alpha = host.boot('alpha', '-device', 'virtio-balloon-pci,deflate-on-oom=on')
        host.machines = [alpha, host.boot('beta'), host.boot('gamma', merge='off', memory=256)]
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
    assert told['alpha']['configured_bytes'] == 384 * MIB
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
    shown = stage.json('status')['ksmd']['cpu_seconds_since_boot']
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


def test_plan_counts_the_guests_by_their_command_lines(stage):
    stage.need_no_other_guests()
    planned = stage.json('plan', status=(0, 1, 2))
    assert str((384 + 384 + 256) * MIB) in json.dumps(planned)


# --- Without the daemon --------------------------------------------------------------------------------------------

def test_status_without_the_daemon_shows_what_is_saved(stage, without_daemon):
    assert stage.json('status', status=(3,))['savings']['saved_bytes'] == without_daemon


def test_unmerge_gives_back_what_was_merged_and_the_guests_live_on(stage, without_daemon):
    assert stage.json('unmerge')['merged_bytes'] == without_daemon
    assert ksm('pages_sharing') == 0
    for machine in stage.machines:
        before = cpu_time_of_threads(machine.pid)
        machine.send_signal(signal.SIGCONT)
        wait_for(f'life in {machine.name}', lambda: cpu_time_of_threads(machine.pid) > before)
    assert all(machine.poll() is None for machine in stage.machines)


def cpu_time_of_threads(pid):
    return sum(cpu_time(f'{pid}/task/{thread}') for thread in os.listdir(f'/proc/{pid}/task'))
