"""A long life on this kernel: guests come and go, signals come, each policy in turn, and nothing grows.

    run soak_real --seconds 3600     a third of it for each policy

What is compared is a look without guests after the first minute and one at the end: resident memory, descriptors,
files, KSM's state. Both are printed. It needs root, an idle KSM and about 1.5 GiB of memory.
"""
import os, random, time
import pytest
from shared import soak
from shared.kernel import as_after_boot, has, kept_aside, knobs, ksm, need_memory, read, set_ksm, write
from shared.needs import compiler, need
from shared.processes import wait_for
from shared.tested import HISTORY, STATE, TestStage, state

POLICIES = 'classic', 'adaptive', 'advisor'
MOST, EACH = 10, 64                     # guests at a time, MiB of each
# Thresholds that decide the same whatever else this host does; a reload goes from one to the other.
SHORT, AT_EASE = 'KSM_THRES_COEF=100\n', 'KSM_THRES_COEF=0\nKSM_THRES_CONST=0\n'
KINDS = ([], ['--unique', '30'], ['--same', '50', '--zero', '20'], ['--rewrite', '10', '5', '--unique', '20'])
NAMES = 'qemu-system-x86_64', 'qemu-kvm', 'kvm', 'cloud-hypervisor', 'firecracker'
FIRST = 60                              # seconds before the first look; a third of a shorter run


@pytest.fixture
def stage(own_ksm, programs):
    compiler()
    need_memory(1536)
    as_after_boot()
    with kept_aside(HISTORY), TestStage.new(programs) as stage:
        stage.undo += [as_after_boot, lambda: os.path.exists(STATE) and os.unlink(STATE)]
        yield stage


class Churn:
    """Guests that come and go, and signals, by a seed."""

    def __init__(self, stage, daemon, seed):
        self.stage, self.daemon, self.random = stage, daemon, random.Random(seed)
        self.text = read(daemon.configuration)
        self.guests, self.counts = [], dict(came=0, went=0, USR1=0, HUP=0)

    def step(self):
        dice = self.random.random()
        if dice < .5 and len(self.guests) < MOST:
            self.guests.append(self.stage.guest(EACH, *self.random.choice(KINDS), name=self.random.choice(NAMES)))
            self.counts['came'] += 1
        elif dice < .9 and self.guests:
            self.go(self.random.randrange(len(self.guests)))
        elif dice < .97:
            self.daemon.signal('USR1')
            self.counts['USR1'] += 1
        else:
            self.reload(self.random.choice([SHORT, SHORT, AT_EASE]))
        self.daemon.expect_running()

    def reload(self, threshold):
        write(self.daemon.configuration, self.text + threshold)
        self.daemon.signal('HUP')
        self.counts['HUP'] += 1

    def go(self, at):
        self.stage.end(self.guests.pop(at))
        self.counts['went'] += 1

    def until(self, moment):
        self.reload(SHORT)
        while time.monotonic() < moment:
            self.step()
            time.sleep(max(0, min(self.random.uniform(.2, 2), moment - time.monotonic())))

    def rest(self):
        """No guest any more, and the daemon has seen it and come to rest."""
        while self.guests:
            self.go(-1)
        self.reload(AT_EASE)
        self.daemon.decide()
        wait_for('KSM at rest', lambda: state().get('ACTION') == 'stop' and ksm('run') == 0, limit=150)
        wait_for('no file of a guest held', lambda: '/proc/PID/statm' not in soak.descriptors(self.daemon.pid), limit=150)
        wait_for('no child', lambda: not soak.read(f'/proc/{self.daemon.pid}/task/{self.daemon.pid}/children'))


@pytest.mark.parametrize('policy', POLICIES)
def test_a_long_life_on_this_kernel(stage, request, table, policy):
    need(policy != 'advisor' or has('advisor_mode'), 'this kernel has no advisor')
    set_ksm(pages_to_scan=321, sleep_millisecs=33)
    found, option = knobs(), request.config.option
    seconds = option.seconds / len(POLICIES)
    d = stage.daemon(f'KSM_MONITOR_INTERVAL=1\nKSM_POLICY={policy}\nKSM_ON_EXIT=restore\n')
    churn = Churn(stage, d, f'{option.seed} {policy}')
    began = time.monotonic()
    folders = [os.path.dirname(STATE), os.path.dirname(HISTORY), os.path.dirname(d.configuration)]
    churn.until(began + min(FIRST, seconds / 3))
    churn.rest()
    first = soak.look(d.pid, folders)
    churn.until(began + seconds)
    churn.rest()
    last = soak.look(d.pid, folders)
    full_scans = ksm('full_scans')
    said = d.said().splitlines()
    d.end()
    took = time.monotonic() - began
    table(f'soak, {policy}: {took:.0f} s, seed {option.seed}, {churn.counts}, {full_scans} full scans, '
          f'{len(said)} messages',
          soak.HEAD, soak.row('after the first minute', first), soak.row('at the end', last))
    assert not (lines := soak.grown(first, last)), '\n'.join(lines)
    assert knobs() == found, 'not restored'
    set_ksm(run=2)
    set_ksm(run=0)
    assert not ksm('pages_sharing'), 'pages of nobody are merged'
    assert churn.counts['went'] and full_scans, 'nothing happened'
    foreign = [line for line in said if 'something else' in line]
    assert not foreign, f'nobody else wrote: {foreign[:3]}'
