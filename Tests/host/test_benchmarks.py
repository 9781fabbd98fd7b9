"""The means of Benchmarks/policies: what its guests hold, what its co-runner measures, and how it judges."""
import argparse, collections, os, re, signal, subprocess, sys
import pytest
from shared.kernel import KSM, MIB, PAGE
from shared.needs import compiler, need
from shared.processes import wait_for
from shared.tested import TOP, TestStage

sys.path.append(str(TOP / 'Benchmarks'))
sys.dont_write_bytecode = True
import bar, results, workloads


@pytest.fixture
def stage(programs):
    need(os.path.isdir(KSM), 'this kernel has no KSM')
    with TestStage.new(programs) as stage:
        yield stage

SIZE = 24                               # MiB; no other mapping of a guest has it


def pages(guest):
    """The guest's memory: the one mapping of exactly that size."""
    with open(f'/proc/{guest.pid}/maps') as maps:
        ranges = [[int(end, 16) for end in line.split()[0].split('-')] for line in maps]
    start, = (start for start, end in ranges if end - start == SIZE * MIB)
    with open(f'/proc/{guest.pid}/mem', 'rb', buffering=0) as memory:
        memory.seek(start)
        whole = memory.read(SIZE * MIB)
    return [whole[at:at + PAGE] for at in range(0, len(whole), PAGE)]


def shares(guests):
    """How much of each eighth of the memory is alike in two guests, and not zero; in percent, rounded."""
    alike = [a == b != bytes(PAGE) for a, b in zip(*(pages(guest) for guest in guests))]
    eighth = len(alike) // 8
    return [round(sum(alike[at:at + eighth]) / eighth * 100) for at in range(0, len(alike), eighth)]


def near(percent):
    """An eighth of the memory is no multiple of a hundred pages."""
    return lambda found: all(abs(share - percent) <= 1 for share in found)


KINDS = '--same', 20, '--zero', 10, '--unique', 70


def test_pages_that_become_the_same_are_like_no_other_before(stage):
    guests = [stage.guest(SIZE, *KINDS, '--become-same', 40, 10 ** 9) for _ in range(2)]
    assert near(20)(shares(guests))


def test_pages_become_the_same_in_place_and_all_over_the_memory(stage):
    guests = [stage.guest(SIZE, *KINDS, '--become-same', 40, 0) for _ in range(2)]
    wait_for('that 60 % are the same', lambda: near(60)(shares(guests)))
    a, b = (pages(guest) for guest in guests)
    alike = collections.Counter(page for page, other in zip(a, b) if page == other)
    assert max(count for page, count in alike.items() if page != bytes(PAGE)) == 1, 'two pages of one guest are alike'


def test_pages_become_the_same_in_all_parts_of_the_memory_at_once(stage):
    guests = stage.guest(SIZE, '--unique', 100, '--become-same', 100, 20), stage.guest(SIZE, '--same', 100)

    def under_way():
        found = shares(guests)
        return found if 10 < sum(found) / 8 < 90 else None
    found = wait_for('a part of them', under_way)
    # One hundredth of the pages comes after the other.
    assert max(found) - min(found) <= 3, found


def test_what_is_given_back_is_filled_with_what_it_held(stage):
    guests = [stage.guest(SIZE, '--unique', 100, '--give-take', SIZE / 4, .2, .4) for _ in range(2)]

    def faults(guest):
        with open(f'/proc/{guest.pid}/stat') as stat:
            return int(stat.read().rpartition(')')[2].split()[7])
    before = [faults(guest) for guest in guests]
    # Each page that was given back takes a fault when it is filled.
    rounds = 2 * SIZE / 4 * MIB / PAGE
    wait_for('two rounds', lambda: all(faults(guest) - had > rounds for guest, had in zip(guests, before)))
    wait_for('a moment between two rounds', lambda: shares(guests) == [100, 100, 0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize('words', ['--become-same 40 1', '--unique 30 --become-same 40 1', '--give-take 9 1 2',
                                   '--give-take 4 2 1', '--give-take 4 1'])
def test_a_guest_refuses_what_cannot_be(stage, words):
    ended = subprocess.run([stage.programs.guest(), *words.split(), '8'], capture_output=True, text=True)
    assert ended.returncode == 2 and ended.stderr


# --- The co-runner -------------------------------------------------------------------------------------------------

LATENCIES = re.compile(r'count (\d+) p50 ([\d.]+) p99 ([\d.]+) p99\.9 ([\d.]+)\n')


@pytest.fixture
def co_runner(stage):
    path = stage.folder / 'corunner'
    source = TOP / 'Benchmarks/corunner.c'
    subprocess.run([compiler(), '-O2', '-Wall', '-Werror', '-o', path, source, '-lm'], check=True)
    return path


def test_a_co_runner_prints_the_latencies_of_each_window(stage, co_runner):
    process = stage.start([co_runner, 100, 1000], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == 'ready\n'
    counts = []
    while len(counts) < 3 or counts[-1] == 0:
        process.send_signal(signal.SIGUSR1)
        count, *latencies = map(float, LATENCIES.fullmatch(process.stdout.readline()).groups())
        assert latencies == sorted(latencies)
        assert (latencies[0] > 0) == (count > 0)
        counts.append(count)
    process.terminate()
    assert LATENCIES.fullmatch(process.stdout.readline())
    assert process.wait() == 0


def test_a_co_runner_says_how_many_loads_take_a_time(co_runner):
    loads = lambda time: int(subprocess.run([co_runner, '--calibrate', time], capture_output=True, check=True).stdout)
    assert 0 < loads('400') < loads('40000')


@pytest.mark.parametrize('words', ['', '5', '0 1000', '1 -1', 'x 1000', '--calibrate 0'])
def test_a_co_runner_refuses_what_cannot_be(co_runner, words):
    ended = subprocess.run([co_runner, *words.split()], capture_output=True)
    assert ended.returncode == 2 and ended.stderr


# --- The workloads, and the bar ------------------------------------------------------------------------------------

def options(**given):
    return argparse.Namespace(**dict(dict(short=False, seconds=None, window=None, scale=1), **given))


def test_a_shorter_run_of_smaller_guests_keeps_its_shape():
    found = workloads.sized(workloads.WORKLOADS['give-take'], options(seconds=90, scale=.25))
    assert (found.mib, found.seconds, found.give) == (96, 90, (32, 12.5, 23))
    found = workloads.sized(workloads.WORKLOADS['in-place'], options(seconds=50))
    assert found.become == (40, 22.5)
    found = workloads.sized(workloads.WORKLOADS['slow-filler'], options(seconds=70, scale=.25))
    assert found.differing[10:12] == (workloads.Guest(192, 15, 45), workloads.Guest(64, 20))


def test_what_can_be_saved_is_known_by_construction(monkeypatch):
    monkeypatch.setattr(workloads, 'ksm', dict(use_zero_pages=1).get)
    guests = tuple(map(workloads.Guest, (100, 100, 300)))
    known = lambda **fields: workloads.mergeable(workloads.Workload('', differing=guests, **fields)) / MIB
    # The largest guest has every page that any has.
    assert known(same=50, zero=0) == pytest.approx((100 + 100) * .5, abs=.1)
    assert known(same=50, zero=10) == pytest.approx((100 + 100) * .5 + 500 * .1, abs=.1)
    assert known(same=20, zero=0, become=(30, 1)) == pytest.approx(100, abs=.1)
    assert known(same=50, zero=0, rewrite=(60, 1)) == pytest.approx(40, abs=.1)
    assert known(same=50, zero=0, give=(40, 1, 2)) == pytest.approx(2 * 40 + (60 + 60) * .5, abs=.1)
    assert known(same=0, zero=0) == 0


def test_every_workload_and_policy_is_described_and_drawn():
    text = (TOP / 'Benchmarks/README.md').read_text()
    names = [*workloads.WORKLOADS, *workloads.POLICIES, *workloads.CO_RUNNERS]
    assert [name for name in names if f'`{name}`' not in text] == []
    assert set(workloads.POLICIES) == set(results.plot.COLORS)


def rows(workload, **policies):
    """Of a summary with one run of each policy; `no_sleep` and the like stand for no-sleep."""
    keys = 'seconds', 'to_95', 'cpu_to_95', 'mean_mib', 'cpu', 'cpu_minute', 'cpu_last', 'cpu_second', 'daemon_percent'
    keys += 'mib_at_30', 'mib_at_60', 'starting_p99', 'converged_p99'
    return [dict(dict.fromkeys(keys), workload=workload, policy=name.replace('_', '-'), seconds=100, **figures)
            for name, figures in policies.items()]


def verdicts(*arguments):
    return {sentence: ok for _, sentence, _, _, ok in bar.bar(*arguments)}


@pytest.mark.parametrize('workload', ['in-place', 'give-take', 'mixed', 'hundred', 'slow-filler', 'hot'])
def test_the_bar_of_guests_that_change(workload):
    peers = dict(no_sleep=dict(mean_mib=1000, cpu=100), advisor_20=dict(mean_mib=919), boosted=dict(mean_mib=921))
    sentences = ('mean MiB, at least 92% of no-sleep', 'CPU s, at most 1/4 of no-sleep',
                 'mean MiB, no less than advisor-20', 'mean MiB, no less than boosted')
    judged = lambda **mine: [verdicts(rows(workload, adaptive=mine, **peers))[sentence] for sentence in sentences]
    assert judged(mean_mib=920, cpu=25) == [True, True, True, False]
    assert judged(mean_mib=921, cpu=25.1) == [True, False, True, True]
    assert judged(mean_mib=918, cpu=1) == [False, True, False, False]
    alone = verdicts(rows(workload, adaptive=dict(mean_mib=1, cpu=1)))
    assert [alone[sentence] for sentence in sentences] == [None] * 4


def test_the_bar_of_what_cannot_be_merged():
    judged = lambda cpu: verdicts(rows('unique', adaptive=dict(cpu=cpu), advisor_20=dict(cpu=10)))
    assert judged(2)['CPU s, at most a fifth of advisor-20'] is True
    assert judged(2.1)['CPU s, at most a fifth of advisor-20'] is False


def test_the_bar_of_real_guests():
    reached = dict(mib_at_30=1000, mib_at_60=1000)
    judged = lambda **mine: verdicts(rows('real', adaptive=mine, no_sleep=reached))
    good = judged(mib_at_30=850, mib_at_60=980, cpu_second=.3)
    assert good['MiB after 30 s, at least 85% of no-sleep'] and good['MiB after 60 s, at least 98% of no-sleep']
    assert good['CPU s of the second minute, at most 0.3'] is True
    bad = judged(mib_at_30=849, mib_at_60=979, cpu_second=.31)
    assert not bad['MiB after 30 s, at least 85% of no-sleep'] and not bad['MiB after 60 s, at least 98% of no-sleep']
    assert bad['CPU s of the second minute, at most 0.3'] is False
    judged = lambda **mine: verdicts(rows('real-files', adaptive=mine, no_sleep=dict(mean_mib=100, cpu=50)))
    assert judged(mean_mib=92, cpu=10)['mean MiB, at least 92% of no-sleep'] is True
    assert judged(mean_mib=91, cpu=10)['mean MiB, at least 92% of no-sleep'] is False
    assert judged(mean_mib=92, cpu=10.1)['CPU s, at most 1/5 of no-sleep'] is False


def test_the_bar_of_a_neighbour():
    peers = dict(none=dict(starting_p99=1000, converged_p99=1000), no_sleep=dict(starting_p99=1150, converged_p99=1010),
                 advisor_20=dict(starting_p99=1300, converged_p99=1030))
    judged = lambda **mine: list(verdicts(rows('storm', adaptive=mine, **peers), 'light').values())
    assert judged(starting_p99=1100, converged_p99=1005) == [True] * 6
    assert judged(starting_p99=1200, converged_p99=1020) == [True, False, True, True, False, True]
    assert judged(starting_p99=1201, converged_p99=1021) == [False, False, True, False, False, True]
    # A policy that never converged has no such window.
    assert judged(starting_p99=1100) == [True] * 3 + [False] * 3


def test_a_run_beside_a_co_runner_has_both_windows():
    sample = dict(time=0, saved=0, mapped=0, ksmd=0, daemon=0, window=0)
    run = argparse.Namespace(workload='storm', policy='none', number=1, co_runner='light', writes=[], complaints=[],
                             samples=[sample, dict(sample, time=180)], latencies=['count 9 p50 1.5 p99 2.5 p99.9 3.5'])
    found = results.summarise(run, 100)
    assert [found[f'starting_{name}'] for name in ('count', 'p50', 'p99', 'p99.9')] == [9, 1.5, 2.5, 3.5]
    assert [found[f'converged_{name}'] for name in ('count', 'p50', 'p99', 'p99.9')] == [None] * 4
