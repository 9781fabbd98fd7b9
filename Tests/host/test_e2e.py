"""A host with systemd and a Debian kernel, booted in QEMU, with this project's files installed: units, sandbox, journal,
configuration, watchdog, and ksmd merging for real.

One machine is booted for all cases; a case is a file of booted/, a test here, and it states its facts one by one. What
the machine prints is shown as it comes. Alone, a case boots a machine for itself:

    run e2e -k 20-merging            one case
    run e2e --out DIR                and the machine's journal as JSON, for a closer look
    run e2e --kernel stable          another kernel; may be given several times, a machine is booted for each
    run e2e --all                    every case on every kernel that is known to work, in a quarter of an hour

They need no root and install nothing. KSM of this host is neither read nor written: the machine's memory is not
mergeable.
"""
import base64, pathlib, re, shutil, subprocess, sys, tempfile, time
import pytest
from shared import avocado, debs, selftests
from shared.machines import KERNEL, QEMU, build_image, qemu, write_initrd
from shared.kernel import read
from shared.needs import Missing, compiler, need, need_built, need_programs
from shared.processes import Stage, capture
from shared.tested import BUILT, TOP, compile_guest

BOOTED = pathlib.Path(__file__).resolve().parent / 'booted'
CASES = sorted(path.stem for path in BOOTED.glob('[0-9]*.bash'))
LONG = '# Long:'                        # so begins a case that runs with --all, or when it is asked for by name
LIMIT = 1080                            # seconds for all: where QEMU emulates 270, on a busy host four times that


def is_long(case):
    return (BOOTED / f'{case}.bash').read_text().startswith(LONG)


def pytest_generate_tests(metafunc):
    """Every case that is to run, on a machine with each kernel that is to run."""
    option = metafunc.config.option
    kernels = option.kernel or ([KERNEL, 'stable'] if option.all and KERNEL != 'stable' else [None])
    cases = [case for case in CASES if option.all or option.keyword or not is_long(case)]
    left = sorted(set(CASES) - set(cases))
    if left:
        metafunc.config.notes.append(f'only with --all, or by name: {", ".join(left)}')
    metafunc.parametrize('case', cases)
    metafunc.parametrize('printed', kernels, ids=[kernel or KERNEL for kernel in kernels], indirect=True, scope='module')


def install(root, option):
    """The installed files, the programs under test, and a stand-in for virtual machines."""
    if option.install_dir:
        shutil.copytree(option.install_dir, root, symlinks=True, dirs_exist_ok=True)
    else:
        status, printed = capture(['make', '-s', '-C', TOP, 'install', f'DESTDIR={root}', 'PREFIX=/usr'])
        assert status == 0, f'make install failed:\n{printed[-2000:]}'
    for name, program in (('ksmtuned', option.daemon), ('ksmctl', option.ksmctl)):
        if program != BUILT / name:
            shutil.copy2(program, root / 'usr/sbin' / name)
    (root / 'usr/bin').mkdir(parents=True, exist_ok=True)
    compile_guest(root / 'usr/bin' / QEMU)


def add_libraries(root, image, say, more):
    """Libraries that the image lacks. Its own are those of the same release as this host's."""
    there = {path.name for path in (image / 'root/usr/lib').rglob('*.so*')}
    programs = [root / 'usr/sbin/ksmtuned', root / 'usr/sbin/ksmctl', root / 'usr/bin' / QEMU]
    programs += [path for name in debs.PROGRAMS if (path := root / name).exists()] + more
    for program in programs:
        linked = subprocess.run(['ldd', program], capture_output=True, text=True).stdout
        for name, path in re.findall(r'(?m)^\s*(\S+) => (/\S+|not found)', linked):
            if not path.startswith('/'):
                say(f'this host has no {name}, the machine might\n')
            elif name not in there:
                folder = root / 'usr/lib/x86_64-linux-gnu'
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, folder / name)


def stage_files(stage, cases, option, image, say):
    """All that is laid over the image: the installed files, and the cases under /payload."""
    folder = stage.folder / 'files'
    shutil.copytree(BOOTED, folder / 'payload')
    (folder / 'payload/only').write_text(''.join(f'{case}\n' for case in cases))
    if '80-selftests' in cases:
        try:
            need(option.longer, 'they take five minutes (--longer, make check-selftests)')
            shutil.copytree(selftests.programs(), folder / 'payload/selftests')
        except Missing as missing:
            (folder / 'payload/no-selftests').write_text(str(missing))
    linked = []
    if '72-avocado' in cases:
        try:
            linked = avocado.stage(folder)
        except Missing as missing:
            (folder / 'payload/no-avocado').write_text(str(missing))
    if any('-packages-' in case for case in cases):
        try:
            debs.stage(folder, image)
        except Missing as missing:
            (folder / 'payload/no-packages').write_text(str(missing))
    install(folder, option)
    add_libraries(folder, image, say, linked)
    for name in ('bin', 'sbin', 'lib', 'lib64'):            # would replace the image's links into /usr
        if (folder / name).is_dir():
            shutil.copytree(folder / name, folder / 'usr' / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(folder / name)
    write_initrd(stage.folder / 'initrd', image, folder)


BOOTS = 3


def run_machine(stage, image, option, say):
    """What the machine printed, and what it sent back: {name: bytes}, or nothing where it did not come to the end.

    A kernel that dies before the first case has run nothing of this project: on two emulated processors one meets its own
    breakpoint now and then while it patches its code. It is booted again, and that is said.
    """
    # A name that no "is a guest running?" look-up of this host matches, and memory that its KSM must not merge.
    vmm = stage.folder / 'e2e-vmm'
    vmm.symlink_to(shutil.which(QEMU))
    for boot in range(1, BOOTS + 1):
        text, files, has_died = boot_machine(stage, vmm, image, option, say)
        if not has_died or boot == BOOTS:
            return text, files
        say(f'booted host: its kernel died before the first case; it is booted again ({boot + 1} of {BOOTS})\n')


def boot_machine(stage, vmm, image, option, say):
    """What `run_machine` gives, and whether its kernel died before the first case."""
    console, result = stage.folder / 'console', stage.folder / 'result'
    console.write_text('')
    result.unlink(missing_ok=True)
    began, limit = time.monotonic(), LIMIT * 2 if option.all or option.keyword else LIMIT
    machine = stage.start(qemu(
        image, stage.folder / 'initrd', [console, result], program=vmm, merge='off', memory='768', processors=2,
        append=f'loglevel=1 systemd.show_status=0 systemd.log_target=journal-or-kmsg {option.append}'))
    with open(console, errors='replace', newline='') as f:
        while machine.poll() is None and time.monotonic() < began + limit:
            say(f.read())
            time.sleep(.1)
        say(f.read())
    late = machine.poll() is None
    text = console.read_text(errors='replace')
    lines = [line.split(' ') for line in result.read_text().split('\n')]
    if late or ['end'] not in lines:
        why = f'was not done after {limit} s' if late else f'ended without a result, with status {machine.returncode}'
        say(f'booted host: the machine {why}\n')
        has_died = not late and 'Kernel panic' in text and not re.search('(?m)^---- ', text)
        return text, {}, has_died
    say(f'booted host: the whole suite took {time.monotonic() - began:.0f} s\n')
    return text, {words[1]: base64.b64decode(words[2]) for words in lines if words[0] == 'file'}, False


@pytest.fixture(scope='module')
def printed(request):
    """{case: its lines}, of a machine that runs all cases that were asked for; without those that it did not end."""
    option, capture = request.config.option, request.config.pluginmanager.get_plugin('capturemanager')

    def say(text):
        with capture.global_and_fixture_disabled():
            sys.stdout.write(text)
            sys.stdout.flush()
    need_programs('make', 'ldd:libc-bin', 'python3')
    compiler()
    if not option.install_dir:
        need_built(option.daemon)
        need_built(option.ksmctl)
    image, remark = build_image(request.param)
    say(f'\n{remark}\n' if remark else '\n')
    cases = [item.callspec.params['case'] for item in request.session.items
             if 'printed' in item.fixturenames and item.callspec.params['printed'] == request.param]
    with tempfile.TemporaryDirectory(prefix='ksmtuned-e2e.') as folder:
        stage = Stage(folder)
        try:
            stage_files(stage, cases, option, image, say)
            text, files = run_machine(stage, image, option, say)
        finally:
            stage.clear()
    if option.out:
        option.out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (option.out / name).write_bytes(content)
    parts = re.split(r'(?m)^---- (\S+)\r?$', text)
    printed = dict(zip(parts[1::2], map(str.splitlines, parts[2::2])))
    if 'summary' not in files:
        return dict(list(printed.items())[:-1])
    passed, failed, skipped = map(int, files['summary'].split())
    kernel = read(image / 'stamp').partition('=')[0].removeprefix('linux-image-')
    request.config.notes.append(f'booted host, {kernel}: {passed} passed, {failed} failed, {skipped} skipped')
    seen = sum(line.startswith('FAIL ') for lines in printed.values() for line in lines)
    assert seen == failed, f'{failed} checks have failed, and {seen} can be read:\n{text[-2000:]}'
    return printed


def test_in_a_booted_host(case, printed, note):
    assert case in printed, f'the machine did not come to the end of this case; it ended: {", ".join(printed) or "none"}'
    lines = printed[case]
    skipped = [re.sub(r'^skip +[\d.]+ ', '', line) for line in lines if line.startswith('skip ')]
    failures = '\n'.join(line for line in lines if not line.startswith(('ok ', 'skip ')))
    assert not any(line.startswith('FAIL ') for line in lines), failures
    if not any(line.startswith('ok ') for line in lines):
        assert skipped, f'it stated nothing:\n{failures}'
        pytest.skip('; '.join(skipped))
    for line in skipped:
        note(f'skipped in {case}: {line}')
