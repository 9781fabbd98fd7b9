"""The differential test: this daemon and the original, the same hosts, the same decisions.

run-oracle drives both programs through each configuration of oracle_cases.py, one SIGUSR1 a state, in a faked /proc and
/sys; what they write to the kernel's files and to LOGFILE, in which order, must be the same. The original is Debian's
package, fetched by apt into a temporary folder for the time of the test.

    run oracle --seed 7 -k '[12]'    one configuration of an earlier run again
    run oracle -k altered            that the test can fail: altered copies of the original in the daemon's place

What is not compared: standard output and standard error (the original says what bash says), the sign of '+5', which
the original hands on to the kernel as it is written and the kernel reads as 5, and, above 100,000 pages a scan, when
among the lines of LOGFILE the write to run comes (see LONGEST_BATCH).
"""
import collections, concurrent.futures, difflib, pathlib, re, shutil, subprocess, sys, tempfile, threading
import pytest
from oracle_cases import Case
from shared.needs import Missing, need_programs, need_root
from shared.original import fetch

ORACLE = pathlib.Path(__file__).resolve().parent / 'run-oracle'
JOBS = 2
TRIES, TICKS = 200, 32          # configurations, and states of each, in which an alteration must be found out

# With more pages in a batch than this, ksmd keeps a writer of run waiting. The daemon leaves that write to a child of
# its own then, so it comes at any place among the lines of LOGFILE: there its place is not compared.
LONGEST_BATCH = 100_000

# (name, pattern, replacement) for sed -E, each breaking one rule of the original.
ALTERATIONS = [
    ('stops with free memory equal to the threshold', r'(-a \$free )-gt', r'\1-ge'),
    ('stops with committed memory equal to the rest', r'(thres\] )-lt', r'\1-le'),
    ('boosts with free memory equal to the threshold', r'(\[ \$free )-lt', r'\1-le'),
    ('boosts and decays the wrong way round', r'(\[ \$free )-lt', r'\1-gt'),
    ('takes 1000 for 1024', r'16 \* 1024', '16 * 1000'),
    ('sleeps less than 10', r'(&& sleep=)10', r'\19'),
    ('goes one above the maximum', r'-gt \$KSM_NPAGES_MAX', r'-gt $[KSM_NPAGES_MAX + 1]'),
    ('goes one below the minimum', r'-lt \$KSM_NPAGES_MIN', r'-lt $[KSM_NPAGES_MIN - 1]'),
    ('keeps the minimum where the maximum is lower', r'elif (\[ \$npages -gt)', r'fi; if \1'),
    ('takes the constant with the share', r'(thres=)\$KSM_THRES_CONST', r'\1$[thres + KSM_THRES_CONST]'),
    ('forgets the pages at a stop', r'(KSMCTL stop)', r'\1; npages=0'),
    ('leaves out the page cache', r'\|Cached', ''),
    ('adds the swap cache', r'\^\(MemFree', r'^(SwapCached|MemFree'),
    ('writes run first', r'(echo \$2 > )', r'echo 1 > /sys/kernel/mm/ksm/run; \1'),
    ('writes run only once', r'echo 1 > (\S+)', r'grep -q 1 \1 || echo 1 > \1'),
    ('says that it boosts before it says that it starts', r'(debug "\$free < \$thres, boost")', r'debug boost; \1'),
    ('misses one guest', r"(awk ')\{ sum", r'\1NR > 1 { sum'),
]


def pytest_generate_tests(metafunc):
    if 'number' in metafunc.fixturenames:
        metafunc.parametrize('number', range(1, metafunc.config.option.configurations + 1))


# --- Running and comparing -----------------------------------------------------------------------------------------

class Runner:
    """Runs programs through cases, two at the same time, in a folder of its own."""

    def __init__(self, folder, original, seed):
        self.folder, self.original, self.seed = folder, original, seed
        self.pool, self.running = concurrent.futures.ThreadPoolExecutor(JOBS), set()
        self.known, self.locks = {}, collections.defaultdict(threading.Lock)

    def trace(self, program, case, label):
        place = f'{self.folder}/{case.number}.{label}'
        with open(f'{place}.conf', 'w', newline='') as f:
            f.write(case.text)
        with open(f'{place}.states', 'w') as f:
            f.writelines(line + '\n' for line in case.states)
        command = [sys.executable, ORACLE, '--as-is', '--conf', f'{place}.conf', '--exec', program, '--limit', '30']
        for name, value in case.environment.items():
            command += ['--env', f'{name}={value}']
        with subprocess.Popen([*command, f'{place}.states'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True) as process:
            self.running.add(process)
            text = process.communicate()[0]
            self.running.discard(process)
        return text.splitlines()

    def original_trace(self, case, ticks):
        """The same for all that is compared with it."""
        key = case.number, ticks
        with self.locks[key]:
            if key not in self.known:
                self.known[key] = self.trace(self.original, case, f'original.{ticks}')
            return self.known[key]

    def both(self, program, number, ticks, label):
        case = Case(self.seed, number, ticks)
        return case, self.trace(program, case, label), self.original_trace(case, ticks)

    def stop(self):
        self.pool.shutdown(wait=False, cancel_futures=True)
        # A program that a job has just started is in the next round.
        while any(thread.is_alive() for thread in self.pool._threads):
            for process in list(self.running):
                process.terminate()
            for thread in self.pool._threads:
                thread.join(.1)


def comparable(trace):
    """The lines that count, one list a tick."""
    ticks, pace = [], 0
    for line in trace:
        if line.startswith('err '):
            continue
        if not ticks or line.startswith('tick '):
            ticks.append([])
        ticks[-1].append(re.sub(r'(?<![\w+])\+(?=\d)', '', line))
        if line.startswith('end '):
            before, pace = pace, int(re.search(r'pages_to_scan=\+?(-?\d+)', line)[1])
            if max(before, pace) > LONGEST_BATCH:
                ticks[-1].sort(key=lambda word: word.startswith('set run ') + 2 * word.startswith('end '))
    return ticks


def first_difference(ours, original):
    """The index of the tick in which two traces part, or None."""
    a, b = comparable(ours), comparable(original)
    return next((n for n in range(max(len(a), len(b))) if a[n:n + 1] != b[n:n + 1]), None)


def explanation(case, at, ours, original, repeat):
    """All that is needed to look into a difference."""
    lines = [f'configuration {case.number} differs ' + (f'at tick {at}' if at else 'at start'), case.describe().rstrip()]
    lines += ['  states up to there:', *(f'    {n}: {case.states[n - 1]}' for n in range(max(1, at - 3), at + 1))]
    a, b = comparable(ours), comparable(original)
    window = slice(max(0, at - 1), at + 1)
    a, b = ([line for tick in t[window] for line in tick] for t in (a, b))
    lines.append('  the original (-) and the daemon (+), the tick before and this one:')
    lines += [f'    {line}' for line in difflib.ndiff(b, a) if not line.startswith('?')]
    lines += [f'    its {line}' for line in ours if line.startswith('err ')][:8]
    return '\n'.join([*lines, f'  repeat: {repeat}'])


def count(counted, trace, case):
    """What the ticks were about, so that a reader sees that none of the rules went untouched."""
    for line in trace:
        if m := re.match(r'log (?:.*, )?(stop|boost|decay)\b', line):
            counted[m[1]] += 1
        if m := re.match(r'log committed (\d+) free (\d+)', line):
            counted['edge'] += int(m[1]) + case.threshold == case.total or int(m[2]) == case.threshold


# --- Fixtures ------------------------------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def runner(request):
    need_root()
    need_programs('unshare:util-linux', 'strace', 'mount', 'awk:mawk', 'ps:procps', 'pgrep:procps', 'bash', 'sed')
    # A program that does nothing, in the same world: what fails here is this machine's, not the daemon's.
    probe = subprocess.run([sys.executable, ORACLE, '--exec', shutil.which('sleep'), '--arg', 'infinity', '-'],
                           input='committed=4 sig=none\n', capture_output=True, text=True)
    if probe.returncode:
        raise Missing('no world of its own can be made here: ' + ((probe.stderr + probe.stdout).splitlines() or ['?'])[-1])
    option = request.config.option
    with tempfile.TemporaryDirectory(prefix='ksmtuned-oracle.') as folder:
        runner = Runner(folder, option.original or fetch(folder), option.seed)
        try:
            yield runner
        finally:
            runner.stop()


def selected(request, test):
    """The parameters with which a test is to be run."""
    return [item.callspec.params for item in request.session.items if getattr(item, 'originalname', None) == test.__name__]


@pytest.fixture(scope='module')
def compared(request, runner, programs):
    """{number: (case, trace, trace)}, each to be waited for, under way for all that are to be compared."""
    ticks, daemon, seed = ticks_of(request.config.option), programs.daemon, request.config.option.seed
    numbers = [params['number'] for params in selected(request, test_it_decides_as_the_original)]
    yield {number: runner.pool.submit(runner.both, daemon, number, ticks, 'ours') for number in numbers}
    request.config.notes.append(f'differential: seed {seed}, {len(numbers)} configurations of {ticks} ticks')


@pytest.fixture(scope='module')
def counted(request):
    counted = dict.fromkeys(('stop', 'boost', 'decay', 'edge'), 0)
    yield counted
    request.config.notes.append('  ' + ', '.join(f'{n} {what}' for what, n in counted.items())
                                + ' (committed + threshold = total, or free = threshold)')


def ticks_of(option):
    """Of each configuration."""
    return -(-option.ticks // option.configurations)


def test_it_decides_as_the_original(number, compared, counted, request):
    option = request.config.option
    case, ours, theirs = compared[number].result()
    at = first_difference(ours, theirs)
    if at is not None:
        pytest.fail(explanation(case, at, ours, theirs, f'Tests/host/run oracle --seed {option.seed} --configurations '
                                f"{option.configurations} --ticks {option.ticks} -k '[{number}]'"), pytrace=False)
    assert len(comparable(theirs)) == ticks_of(option) + 1, \
        f'the original itself ended early, so nothing is compared\n{case.describe()}' + '\n'.join(theirs[-5:])
    count(counted, theirs, case)


# --- That it can fail ----------------------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def found_out(request, runner):
    """{name: (configuration, tick)} of the first difference, each to be waited for; None where there is none."""
    wanted = [params['alteration'] for params in selected(request, test_an_altered_original_is_found_out)]
    return {name: runner.pool.submit(find_out, runner, n, name, pattern, replacement)
            for n, (name, pattern, replacement) in enumerate(ALTERATIONS) if name in wanted}


def find_out(runner, n, name, pattern, replacement):
    altered = pathlib.Path(runner.folder) / f'altered{n}'
    with open(altered, 'w') as f:
        subprocess.run(['sed', '-E', f's~{pattern}~{replacement}~', runner.original], stdout=f, check=True)
    altered.chmod(0o755)
    assert altered.read_text() != pathlib.Path(runner.original).read_text(), 'no place for the alteration'
    for number in range(1, TRIES + 1):
        _, ours, theirs = runner.both(altered, number, TICKS, altered.name)
        at = first_difference(ours, theirs)
        if at is not None:
            return number, at
    return None


@pytest.mark.parametrize('alteration', [name for name, *_ in ALTERATIONS])
def test_an_altered_original_is_found_out(alteration, found_out):
    assert found_out[alteration].result(), f'the original that {alteration} passes in {TRIES} configurations'
