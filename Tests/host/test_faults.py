"""Whatever system call fails: no crash, no hang, nothing left behind, right again at the next decision, and never a word
too much or too few.

A life of the daemon is traced once, by each policy: start, decisions of each kind, reloads, end. Then it is lived again
and again, and each time another call fails, once or for a while, with each error that it may return. So is each command
of ksmctl. What must hold in every case stands in shared/verdicts.py and shared/commands.py, what is tried in
shared/faultcases.py. All happens in trees and in mount namespaces without the real KSM, in a time of its own.

In a tree of --root the daemon lacks some of its work: it hears of no virtual machine and no pressure for memory, holds
no file of the kernel's, starts no child that reads, and leaves ksmd alone. So there are lives without it, where the tree
lies over the host's own folders (shared/world.py). The short form tries there what the others have not. They take root.

    make check-faults                          a choice: each kind of call on each path, and its most telling error
    make check-faults ALL=1                    every call, every error; goes on where it was ended
    make check-faults ARGS='-k adaptive'       one life
    make check-faults ARGS='--fault "openat ~/proc/meminfo"'    only what has this in its name, with what it printed
"""
import errno, os, queue, re, shutil, stat, sys
import pytest
from shared import apparmor, campaign, commands, faultcases, lives, verdicts
from shared.injection import Injected, compile_injector, read_calls
from shared.processes import capture
from shared.tested import TOP
from shared.world import need_world

# Where the daemon may write, below the root; the pid file is made under a name beside its own.
PLACES = ('~/sys/kernel/mm/ksm', '~/run/ksmtune.pid', '~/run/.ksmtune.pid.new', '~/run/ksmtuned',
          '~/var/lib/ksmtuned', '~/var/log/ksmtuned')
CHANGING = ('rename', 'unlink', 'mkdir', 'rmdir', 'link', 'symlink', 'truncate', 'ftruncate', 'chmod', 'chown', 'fchmod', 'fchown',
            'mknod', 'fallocate')


@pytest.fixture(scope='session')
def injector(programs):
    return compile_injector(programs.folder / 'inject')


@pytest.fixture(scope='session')
def both(programs):
    return dict(ksmtuned=programs.daemon, ksmctl=programs.ksmctl)


@pytest.fixture(scope='module')
def tried(request, both, note):
    """All cases of this run; their tables are printed at its end."""
    option = request.config.option
    log = os.path.abspath('.build/faults/cases.jsonl') if option.all else None
    tried = campaign.Campaign(campaign.digest(*both.values()), log, option.jobs)
    yield tried
    for line in tried.tables() if tried.results else ():
        note(line)


@pytest.fixture
def folders(tmp_path):
    """New folders, one after the other, that are gone where the case behind them broke no rule."""
    numbers = iter(range(1_000_000))
    return lambda: tmp_path / str(next(numbers))


def chosen(request, cases, besides=()):
    option = request.config.option
    if option.fault:
        cases = [case for case in cases if option.fault in str(case)]
    return cases if option.all or option.fault else faultcases.sample(cases, besides)


def check_calls(calls):
    """Each call has errors that are tried, or cannot fail: a new one is seen to."""
    unknown = {call.path for call in calls if call.name == '?'} - set(faultcases.CANNOT_FAIL)
    assert not unknown, f'system calls that inject.c does not know: {sorted(unknown)}'
    assert len(calls) > 30, f'only {len(calls)} calls were traced'


def check(results):
    assert results, 'no case was run'
    broken = campaign.report(results)
    assert not broken, f'{sum(bool(each) for _, each in results)} of {len(results)} failures broke a rule\n' + '\n'.join(broken)


# --- The daemon ----------------------------------------------------------------------------------------------------

@pytest.fixture(params=lives.KINDS, ids=str)
def kind(request):
    """Of a life."""
    if request.param.is_world:
        need_world()
    return request.param


def cases_of(kind, calm):
    calls = list(read_calls(calm.log))
    check_calls(calls)
    # By these policies a step is many looks, of which the first are like the others.
    return [*faultcases.single_cases(str(kind), calls, each={'adaptive': 1, 'advisor': 4}.get(kind.policy)),
            *faultcases.lasting_cases(str(kind), calls, 'start', lives.LIFTED),
            *faultcases.lasting_cases(str(kind), calls, 'boost', lives.LIFTED),
            *faultcases.lasting_cases(str(kind), calls, 'last', 'end')]


def test_the_daemon_takes_each_failure(kind, request, injector, both, tried, folders):
    calm = lives.live(injector, both, folders(), kind, log=True)
    assert calm.end == ('exit', 0), calm.messages
    cases, besides = cases_of(kind, calm), []
    if kind.is_world:
        rooted = lives.Kind(kind.policy)
        besides = cases_of(rooted, lives.live(injector, both, folders(), rooted, log=True))

    def one(case):
        folder = folders()
        life = lives.live(injector, both, folder, kind, case.rule, lift=case.until)
        broken = verdicts.broken(case, life, calm)
        shutil.rmtree(folder)
        if request.config.option.fault:
            print(case, *broken, *(f'    {line}' for line in life.messages), sep='\n')
        return broken
    check(tried.run(chosen(request, cases, besides), one))


def test_two_lives_are_alike(kind, injector, both, folders):
    """What a failure changes can be told from what differs anyway."""
    one, other = (lives.live(injector, both, folders(), kind) for _ in range(2))
    for name in ('end', 'knobs', 'passes', 'descriptors', 'files', 'history', 'debug'):
        assert getattr(one, name) == getattr(other, name), name
    assert list(map(verdicts.normal, one.messages)) == list(map(verdicts.normal, other.messages))


# --- ksmctl --------------------------------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def worlds(request, injector, both, tmp_path_factory):
    """One for each job."""
    folder, found = tmp_path_factory.mktemp('worlds'), queue.Queue()
    for number in range(request.config.option.jobs):
        found.put(commands.World(injector, both, folder / str(number)))
    yield found
    while not found.empty():
        found.get().end()


@pytest.mark.parametrize('command', commands.COMMANDS)
def test_ksmctl_takes_each_failure(command, request, worlds, tried, tmp_path):
    def run(*arguments):
        world = worlds.get()
        try:
            return world.run(command, *arguments)
        finally:
            worlds.put(world)
    calm = run(None, tmp_path / 'log')
    assert calm.end[0] == 'exit' and calm.end[1] in verdicts.documented_statuses('ksmctl.8'), (calm.end, calm.errors)
    calls = list(read_calls(tmp_path / 'log'))
    check_calls(calls)

    def one(case):
        seen = run(case.rule)
        broken = commands.broken(case, seen, calm)
        if request.config.option.fault:
            print(case, *broken, seen.end, seen.output, seen.errors, sep='\n')
        return broken
    check(tried.run(chosen(request, list(faultcases.single_cases(command, calls))), one))


def test_each_command_of_ksmctl_is_tried(both):
    """Those that its help lists."""
    status, text = capture([both['ksmctl'], '--help'])
    listed = set(re.findall(r'(?m)^  ([a-z][a-z-]+) {3,}\S', text))
    assert status == 0 and 'status' in listed, text
    assert listed == {command.split()[0] for command in commands.COMMANDS}


# --- What is written where -----------------------------------------------------------------------------------------

def changes(calls):
    """Calls that changed a file's content, name or mode, or made one."""
    for call in calls:
        if call.result < 0:
            continue
        if call.name in ('open', 'openat') and call.flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
            yield call
        elif call.name.rstrip('at2') in CHANGING or call.name in CHANGING:
            yield call
        elif call.name in ('write', 'pwrite64', 'writev'):
            yield call


def test_nothing_is_written_outside_five_places(kind, injector, both, folders):
    life = lives.live(injector, both, folders(), kind, log=True)
    written = {call.path.removesuffix(' (deleted)').replace('~/var/run/', '~/run/')
               for call in changes(read_calls(life.log))} - {'stdout', 'stderr', 'pipe:'}
    # What is written there is no content of a file, but what the kernel is to watch for.
    written.discard('~/proc/pressure/memory')
    elsewhere = {path for path in written if not any(path == place or path.startswith(f'{place}/') for place in PLACES)}
    assert not elsewhere, f'written outside of {PLACES}: {sorted(elsewhere)}'
    unused = {place for place in PLACES if not place.endswith('.new') and not any(path.startswith(place) for path in written)}
    assert not unused, f'the trace shows no write to {unused}'


def opened(injector, both, folder, kind):
    """What a life opens of the host: (path, r or w). What the C library opens, every program may."""
    life = lives.live(injector, both, folder, kind, log=True)
    found = {(call.path.removeprefix('~').removesuffix(' (deleted)'), letter)
             for call in read_calls(life.log) if call.name in ('open', 'openat') and call.path.startswith('~/')
             for letter in {os.O_RDONLY: 'r', os.O_WRONLY: 'w', os.O_RDWR: 'rw'}[call.flags & os.O_ACCMODE]
             if call.path not in ('~/proc/self/maps', '~/sys/devices/system/cpu/online')}
    assert len(found) > 30
    return found


def test_selinux_s_table_names_what_the_daemon_opens(kind, injector, both, folders):
    table = (TOP / 'packaging/selinux/README.md').read_text().partition('## What the daemon touches')[2]
    places = [place for row in re.findall(r'^\| (.+?) \|', table, re.M) for place in re.findall(r'`(?:[A-Z]+=)?(/[^`]*)`', row)]
    # The list of processes is not what they hold.
    rules = [re.compile(place.replace('PID', r'(\d+|self)') + ('' if place == '/proc' else '(/.*)?')) for place in places]
    unnamed = {path for path, _ in opened(injector, both, folders(), kind)
               # Beside a file that is put in the place of another one.
               if not any(rule.fullmatch(path.replace('/.', '/').replace('/var/run/', '/run/')) for rule in rules)}
    assert not unnamed, f'packaging/selinux/README.md lacks {sorted(unnamed)}'


def test_the_profile_lets_the_daemon_open_what_it_opens(kind, injector, both, folders):
    rules = list(apparmor.file_rules(TOP / 'packaging/apparmor/usr.sbin.ksmtuned'))
    # It goes by the process that the link leads to.
    wanted = {(path.replace('/proc/self/', '/proc/1/'), letter)
              for path, letter in opened(injector, both, folders(), kind)}
    denied = {(path, letter) for path, letter in wanted
              # A folder ends in a slash there.
              if not any(letter in letters and (rule.fullmatch(path) or rule.fullmatch(f'{path}/')) for rule, letters in rules)}
    assert not denied, f'the profile of AppArmor lacks {sorted(denied)}'


def test_what_others_may_read_has_no_guest_s_name(kind, injector, both, folders):
    folder = folders()
    life = lives.live(injector, both, folder, kind)
    seen = {f'the state after {step}': text.encode() for step, text in life.states.items()}
    seen |= {'the history': life.history, **{f'message {n}': text.encode() for n, text in enumerate(life.notified)}}
    root = folder / 'host'
    for name in life.files:
        path = root / name
        if not name.startswith('proc/') and stat.S_IMODE(path.stat().st_mode) & 0o044:
            seen[name] = path.read_bytes()
    assert len(life.states) > 5 and life.history and life.notified
    for what, data in seen.items():
        for name in (lives.SECRET, 'qemu-system'):
            assert name.encode() not in data, f'{what} has the name {name}'


def test_metrics_have_a_guest_s_name_only_where_that_was_asked_for(worlds):
    """Everybody may read what the timer has them written to."""
    world = worlds.get()
    try:
        plain, named = (world.run(command) for command in ('metrics', 'metrics --guests'))
    finally:
        worlds.put(world)
    assert plain.end == named.end == ('exit', 0), plain.errors + named.errors
    assert 'ksmtuned_decision_info{' in plain.output and lives.SECRET in named.output
    for name in (lives.SECRET, 'qemu-system'):
        assert name not in plain.output + plain.errors, f'the metrics have the name {name}'


# --- The means itself ----------------------------------------------------------------------------------------------

@pytest.fixture
def read_it(injector, tmp_path):
    """What head(1) makes of a file of a tree while a rule holds."""
    (tmp_path / 'sys').mkdir()
    (tmp_path / 'sys/file').write_text('some text\n')

    def read(rule):
        program = Injected(injector, ['/usr/bin/head', tmp_path / 'sys/file'], str(tmp_path), rule, tmp_path / 'log')
        program.until_idle()
        return program
    return read


def test_a_call_fails_as_it_is_told(read_it):
    failed = read_it(f'once read 1 {errno.EIO} ~/sys/file')
    assert (failed.end, failed.hits, failed.said(0)) == (('exit', 1), 1, '')
    assert os.strerror(errno.EIO) in failed.said(1)
    short = read_it('lasting read 1 short ~/sys/file')
    assert (short.end, short.said(0)) == (('exit', 0), 'some text\n'), 'byte by byte'
    assert short.hits == len('some text\n') + 1
    assert read_it('once read 9 5 ~/sys/file').hits == 0


def test_the_real_KSM_cannot_be_seen(injector, tmp_path):
    program = Injected(injector, ['/bin/sh', '-c', 'ls -A /sys/kernel/mm/ksm; touch /sys/kernel/mm/ksm/run'], str(tmp_path))
    program.until_idle()
    assert program.said(0) == '' and program.end[1] != 0 and 'touch' in program.said(1) or not os.path.isdir(lives.KSM)


def test_the_clocks_stand_still(injector, tmp_path):
    program = Injected(injector, [sys.executable, '-SIc', 'import time; time.sleep(1000); print(int(time.time()))'], str(tmp_path))
    program.until_idle()
    assert (program.end, program.said(0)) == (('exit', 0), '1800001000\n')


def test_no_signal_reaches_another_process(injector, tmp_path):
    program = Injected(injector, ['/bin/bash', '-c', f'kill -0 {os.getpid()}'], str(tmp_path))
    program.until_idle()
    assert program.strays == [os.getpid()] and program.end == ('exit', 1)
