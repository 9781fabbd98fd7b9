"""Others that use this kernel's KSM, beside the daemon and after it: the kernel's own tests, libvirt, avocado-vt.

What passes of tools/testing/selftests/mm on this kernel without a daemon must pass after its end, by each KSM_ON_EXIT,
and beside it, under each policy. The tests and `virsh node-memory-tune` are real other writers of the kernel's files:
the daemon says so once for each value, and goes on.

They need root, an idle KSM and the packages that tools/install-dependencies names for `selftests`.
"""
import os, re, signal, subprocess
import pytest
from shared import avocado, selftests
from shared.kernel import as_after_boot, has, knobs, ksm, need_memory, read, set_ksm
from shared.libvirt import Libvirt
from shared.needs import need, need_programs
from shared.processes import wait_for
from shared.tested import QUIET, STATE, Daemon, TestStage, need_namespaces

POLICIES = 'classic', 'adaptive', 'advisor'
WAYS = 'keep', 'stop', 'restore', 'unmerge'
# It always scans; at the third decision the pace is the one that remains.
SCANNING = 'KSM_THRES_COEF=100\nKSM_NPAGES_BOOST=1000\nKSM_NPAGES_MAX=2000\n'
FOREIGN = re.compile(r'something else changed (\w+) from (\d+) to (\d+)')


@pytest.fixture
def stage(own_ksm, programs):
    need_memory(1024)
    clear()
    with TestStage.new(programs) as stage:
        stage.undo += [clear, lambda: os.path.exists(STATE) and os.unlink(STATE)]
        yield stage


def clear():
    """As after boot; the tests leave use_zero_pages on."""
    if has('use_zero_pages'):
        set_ksm(use_zero_pages=0)
    as_after_boot()


@pytest.fixture(scope='module')
def reference(own_ksm, request):
    """The tests' folder, and what each of them says on this kernel without a daemon."""
    folder = selftests.programs()
    need_memory(1024)
    clear()
    results = selftests.run(folder)
    clear()
    passed = [name for name, result in results.items() if result == 'pass']
    others = ''.join(f'; {name}: {result}' for name, result in results.items() if result != 'pass')
    request.config.notes.append(f'selftests: {folder.name}: {len(passed)} of {len(results)} pass without a daemon{others}')
    assert len(passed) > len(results) // 2, f'most do not even pass without a daemon: {results}'
    return folder, results


def need_policy(policy):
    need(policy != 'advisor' or has('advisor_mode'), 'this kernel has no advisor')


def foreign(daemon):
    """The writes of others that it told of: (knob, expected, found), each as often as it was told."""
    return FOREIGN.findall(daemon.said())


# --- The kernel's own tests ----------------------------------------------------------------------------------------

@pytest.mark.parametrize('policy', POLICIES)
def test_the_kernels_tests_pass_beside_it(stage, reference, note, policy):
    need_policy(policy)
    folder, before = reference
    # No guest is there, so adaptive stops ksmd, for which the tests wait without a limit where another stops it. It
    # looks at rest only before and after them; the other two scan, and decide every second.
    d = stage.daemon('KSM_MONITOR_INTERVAL=1\nKSM_STEP_IDLE=60\n', SCANNING, f'KSM_POLICY={policy}\n')
    results = selftests.run(folder)
    assert not (worse := selftests.compared(before, results)), f'beside it: {worse}'
    d.decide()
    d.decide()
    told = foreign(d)
    note(f'selftests: beside {policy} {list(results.values()).count("pass")} pass; it told of '
         f'{len(told)} writes: {", ".join(" ".join(each) for each in told) or "none"}')
    for _ in range(3):
        d.decide()
    assert foreign(d) == told, 'it tells of a write again that nobody repeats'
    d.end()


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('policy', POLICIES)
def test_the_kernels_tests_pass_after_its_end(stage, reference, policy, way):
    need_policy(policy)
    folder, before = reference
    d = stage.daemon(QUIET, SCANNING, f'KSM_POLICY={policy}\nKSM_ON_EXIT={way}\n')
    guests = [stage.guest(20), stage.guest(20)]
    d.decide()
    d.end()
    for guest in guests:
        stage.end(guest)
    results = selftests.run(folder)
    assert not (worse := selftests.compared(before, results)), f'after {way}: {worse}'


# --- libvirt -------------------------------------------------------------------------------------------------------

def steady(d):
    for _ in range(3):
        d.decide()
    return knobs()


def test_virsh_node_memory_tune_beside_classic_is_told_once_and_undone(stage):
    libvirt = Libvirt(stage)
    d = stage.daemon(QUIET, SCANNING)
    pace = steady(d)
    assert (pace['pages_to_scan'], pace['run']) == (2000, 1), 'pace'
    for _ in range(3):                                     # the same writer with the same value, again and again
        done = libvirt.virsh('node-memory-tune', '--shm-pages-to-scan', 123, '--shm-sleep-millisecs', 33)
        assert done.returncode == 0, done.stderr
        assert (ksm('pages_to_scan'), ksm('sleep_millisecs')) == (123, 33), 'virsh wrote nothing'
        d.decide()
        assert knobs() == pace, 'the next decision does not go on by the configured policy'
    sleep = str(pace['sleep_millisecs'])
    assert sorted(foreign(d)) == [('pages_to_scan', '2000', '123'), ('sleep_millisecs', sleep, '33')], 'told'
    d.end()


def test_virsh_node_memory_tune_beside_adaptive_is_told_once_and_undone(stage):
    libvirt = Libvirt(stage)
    # Half of each guest's memory is always new, so that a pass is always worth its time.
    for _ in range(2):
        stage.guest(200, '--rewrite', '50', '5')
    d = stage.daemon('KSM_POLICY=adaptive\nKSM_ADAPTIVE_START=threshold\n', SCANNING)
    wait_for('run=1', lambda: ksm('run') == 1)

    def told():
        """It looks once a second or less often, and may write a pace of its own before."""
        done = libvirt.virsh('node-memory-tune', '--shm-sleep-millisecs', 999)
        assert done.returncode == 0, done.stderr
        return [found for name, _, found in foreign(d) if name == 'sleep_millisecs']
    found = wait_for('a word', told, pause=.3)
    assert found == ['999'], found
    wait_for('its own pace', lambda: ksm('sleep_millisecs') != 999)
    d.end()


def test_virsh_node_memory_tune_beside_the_advisor(stage):
    """The kernel refuses pages_to_scan while its advisor is on; the pace is the advisor's, and nobody wrote it."""
    need_policy('advisor')
    libvirt = Libvirt(stage)
    d = stage.daemon(QUIET, SCANNING, 'KSM_POLICY=advisor\n')
    d.decide()
    done = libvirt.virsh('node-memory-tune', '--shm-pages-to-scan', 123)
    assert (done.returncode, 'shm_pages_to_scan' in done.stderr) == (1, True), done.stderr
    d.decide()
    assert (ksm('advisor_mode'), ksm('run')) == ('scan-time', 1), 'advisor and run'
    assert not foreign(d), 'told'
    d.end()


# --- avocado-vt ----------------------------------------------------------------------------------------------------

class Inside(Daemon):
    """One in a pid namespace of its own: the client sends its signal to whatever ps(1) calls ksmtuned."""
    WORLD = 'unshare', '--pid', '--fork', '--kill-child', '--mount-proc'

    def __init__(self, stage, configuration):
        super().__init__(stage, configuration, wrapper=self.WORLD)
        self.inner = int(read(f'/proc/{self.pid}/task/{self.pid}/children'))

    def signal(self, name):
        os.kill(self.inner, getattr(signal, f'SIG{name}'))


def test_avocados_KSMController_finds_stops_and_changes_it(stage):
    python, path = avocado.python(), f'{stage.programs.folder}:/usr/sbin:/usr/bin:/sbin:/bin'
    need_namespaces(*Inside.WORLD[1:])
    need_programs('nsenter:util-linux', 'ps:procps')
    set_ksm(pages_to_scan=321)
    d = stage.daemon(QUIET, SCANNING, 'KSM_ON_EXIT=restore\n', kind=Inside)

    def client(*words, ends=False):
        """What `words` print. The end of the daemon is the end of its namespace, and of the client in it."""
        done = subprocess.run(['nsenter', '-t', str(d.inner), '-p', '-m', python, '-c', avocado.CLIENT, *words],
                              capture_output=True, text=True, timeout=60, env=dict(PATH=path, LC_ALL='C'))
        assert done.returncode in ((0, -signal.SIGKILL) if ends else (0,)), done.stderr
        return dict(line.split(' ', 1) for line in done.stdout.splitlines())
    pace = steady(d)
    assert client('is_ksm_running', 'get_ksmtuned_pid') == dict(is_ksm_running='True', get_ksmtuned_pid='1')
    client('pages_to_scan=77', 'stop_ksm')
    assert (ksm('run'), ksm('pages_to_scan')) == (0, 77), 'its writes'
    d.decide()
    assert knobs() == pace, 'the next decision does not go on by the configured policy'
    assert sorted(foreign(d)) == [('pages_to_scan', '2000', '77'), ('run', '1', '0')], 'told'
    client('stop_ksmtuned', ends=True)                     # SIGTERM
    assert d.wait() == 0, 'exit status'
    assert (ksm('run'), ksm('pages_to_scan')) == (0, 321), 'restored'
