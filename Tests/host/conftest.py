"""What every check has: the options, the host's KSM for itself, programs that are ended on every way out, and a summary
that names what was skipped."""
import os, pathlib, signal, sys, tempfile
import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
pytest.register_assert_rewrite('shared')
from shared import kernel, needs, processes, tested


def absolute(text):
    return pathlib.Path(os.path.abspath(text))


def pytest_addoption(parser):
    group = parser.getgroup('ksmtuned')
    group.addoption('--daemon', default=tested.BUILT / 'ksmtuned', type=absolute, help='the daemon to test (the release build)')
    group.addoption('--ksmctl', default=tested.BUILT / 'ksmctl', type=absolute, help='the ksmctl to test')
    group.addoption('--all', action='store_true', help='also what takes long: further cases and kernels of e2e, every failure of faults')
    group.addoption('--require', action='store_true', help='what cannot be run is a failure, not skipped')

    group = parser.getgroup('ksmtuned, oracle')
    group.addoption('--original', type=absolute, metavar='PATH', help="the original script (Debian's, fetched for this run)")
    group.addoption('--seed', type=int, default=int.from_bytes(os.urandom(4), 'big'), help='repeats an earlier run (random)')
    group.addoption('--configurations', type=int, default=72, help='how many random ones (%(default)s)')
    group.addoption('--ticks', type=int, default=2304, help='of all configurations together (%(default)s)')
    group = parser.getgroup('ksmtuned, soak')
    group.addoption('--seconds', type=int, default=3600, help='of the real one, all policies together (%(default)s)')
    group.addoption('--soak-ticks', type=int, default=1_000_000, help='in sped-up time, all policies together (%(default)s)')
    group.addoption('--processes', type=int, default=10_000, help='at most, in sped-up time (%(default)s)')
    group = parser.getgroup('ksmtuned, e2e')
    group.addoption('--install-dir', type=absolute, metavar='DIR',
                    help='a tree as `make install DESTDIR=DIR PREFIX=/usr` leaves it; without it, it is made')
    group.addoption('--kernel', metavar='SUITE', action='append',
                    help='where the kernel comes from: stable, or such as bookworm-backports; a machine for each')
    group.addoption('--longer', action='store_true', help="with the kernel's own tests of KSM")
    group.addoption('--append', default='', metavar='WORDS', help="for the kernel's command line")
    group.addoption('--out', type=absolute, metavar='DIR', help="for the machine's journal as JSON")
    group = parser.getgroup('ksmtuned, ansible')
    group.addoption('--package', type=absolute, metavar='FILE', help='what the role installs; without it, an archive is made')
    group = parser.getgroup('ksmtuned, kubernetes')
    group.addoption('--image-root', type=absolute, metavar='DIR',
                    help="the image's file system; without it this host's programs stand for it")
    group = parser.getgroup('ksmtuned, faults')
    group.addoption('--jobs', type=int, default=os.cpu_count(), metavar='N', help='how many at a time (%(default)s)')
    group.addoption('--fault', metavar='WORDS', help='only failures with this in their name, and what was printed')


def pytest_configure(config):
    processes.adopt_orphans()
    config.notes = []                           # lines for the summary
    processes.end_on_signals(lambda number: pytest.exit(f'ended by {signal.Signals(number).name}', returncode=128 + number))


# --- Fixtures ------------------------------------------------------------------------------------------------------

@pytest.fixture(scope='session')
def programs(request):
    with tempfile.TemporaryDirectory(prefix='ksmtuned-programs.') as folder:
        os.chmod(folder, 0o755)                 # some are run as nobody
        yield tested.Programs(folder, request.config.option.daemon, request.config.option.ksmctl)


@pytest.fixture(scope='module')
def own_ksm(programs):
    """This host's KSM, for one file of tests; put back behind it."""
    needs.need_root()
    programs.daemon
    with kernel.borrowed() as found, kernel.kept_aside(tested.STATE):
        yield found


@pytest.fixture(scope='session')
def note(request):
    """Adds a line to the summary."""
    return request.config.notes.append


@pytest.fixture
def table(request):
    """Prints lines at once, and in the summary: what took an hour is not lost with what follows it."""
    def show(*lines):
        request.config.notes.extend(lines)
        with request.config.pluginmanager.get_plugin('capturemanager').global_and_fixture_disabled():
            print('', *lines, sep='\n', flush=True)
    return show


# --- Skipped, with a name and a reason -----------------------------------------------------------------------------

@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    if call.excinfo and isinstance(call.excinfo.value, needs.Missing):
        reason = str(call.excinfo.value)
        call.excinfo = pytest.CallInfo.from_call(lambda: pytest.skip(reason), call.when).excinfo
    outcome = yield
    stage = getattr(item, 'funcargs', {}).get('stage')
    if outcome.get_result().failed and stage:
        outcome.get_result().sections.append(('What the daemons said at last', stage.last_words()))


def part_of(nodeid):
    """`kernel` of `test_kernel.py::test_…`."""
    return pathlib.Path(nodeid.partition('::')[0]).stem.removeprefix('test_')


def skipped_lines(reporter):
    """`NAME: REASON` for each test that was skipped, or `PART: REASON` where a whole file was, for one reason; and
    whether nothing else was run."""
    reports = [report for kind in ('passed', 'failed', 'skipped', 'error') for report in reporter.stats.get(kind, [])]
    skipped, files = {}, {}
    for report in reports:
        files.setdefault(part_of(report.nodeid), set()).add(report.nodeid)
        if report.skipped:
            skipped[report.nodeid] = report.longrepr[2].removeprefix('Skipped: ')
    lines = []
    for part, tests in files.items():
        reasons = {skipped.get(test) for test in tests}
        if len(reasons) == 1 and None not in reasons:
            lines.append(f'{part}: {reasons.pop()}')
        else:
            lines += [f'{test.partition("::")[2].removeprefix("test_").replace("_", " ")}: {skipped[test]}'
                      for test in skipped if test in tests]
    return lines, bool(skipped) and all(test in skipped for tests in files.values() for test in tests)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
    """The last lines: what was skipped; where all was, the very last one begins with SKIP, which tools/run-checks reads."""
    yield
    reporter = session.config.pluginmanager.get_plugin('terminalreporter')
    lines, all_skipped = skipped_lines(reporter)
    if lines and session.config.option.require:
        session.exitstatus = session.exitstatus or 1
    if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        reporter.write_line('FAIL no check has such a name')
    if all_skipped:
        reporter.write_line('SKIP ' + '; '.join(lines))


def pytest_terminal_summary(terminalreporter, config):
    for line in config.notes:
        terminalreporter.write_line(line)
    for line in skipped_lines(terminalreporter)[0]:
        terminalreporter.write_line(f'skip {line}')
