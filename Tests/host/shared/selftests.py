"""The kernel's own tests of KSM, from Debian's source of the kernel: GPL, so they are fetched and no part of this
project."""
import os, pathlib, re, shutil, subprocess, tempfile
from .machines import CACHE
from .needs import Missing, compiler, need, need_programs
from .packages import unpacked
from .processes import capture

# The newest first: its tests know the files of an older kernel as well, and skip what it does not have.
PACKAGES = 'linux-source-6.12', 'linux-source-6.1', 'linux-source'
PROGRAMS = 'ksm_tests', 'ksm_functional_tests'

# As tools/testing/selftests/mm/run_vmtests.sh calls them, and the four tests that it leaves out.
CALLS = {
    'merge huge pages in time': 'ksm_tests -H -s 100',
    'merge in time': 'ksm_tests -P -s 100',
    'merge by madvise': 'ksm_tests -M -p 10',
    'unmerge by a write': 'ksm_tests -U',
    'zero pages': 'ksm_tests -Z -p 10 -z 0',
    'zero pages with use_zero_pages': 'ksm_tests -Z -p 10 -z 1',
    'across nodes': 'ksm_tests -N -m 1',
    'within a node': 'ksm_tests -N -m 0',
    'unmerge in time': 'ksm_tests -D -s 100',
    'copy on write in time': 'ksm_tests -C',
    'merge by prctl': 'ksm_tests -M -p 10 -t 1',
    'functional': 'ksm_functional_tests',
}
LIMIT = 150             # seconds; the tests wait for ksmd 120 at most
# Some wait for the end of one pass only, which may have begun before what it is to see: they fail now and then by
# themselves, where the machine is busy.
TRIES = 3
SKIPPED = 4             # KSFT_SKIP


def programs():
    """The folder with both programs, linked statically, so that another host can run them as well; kept in the cache
    until the compiler or the package changes."""
    need(os.path.exists('/usr/include/numa.h'), 'no numa.h here (package libnuma-dev)')
    need_programs('script:bsdutils', 'tar', 'xz:xz-utils', 'apt-cache:apt')
    package, version = newest()
    folder = CACHE / 'ksmtuned-selftests' / f'{package}_{version}'
    if all((folder / name).exists() for name in PROGRAMS):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='ksmtuned-selftests.') as where:
        archive = next(unpacked(package, f'{where}/package', where).glob('usr/src/linux-source-*.tar.xz'))
        subprocess.run(['tar', '-xf', archive, '-C', where, '--wildcards', '--strip-components=1',
                        '*/tools/testing/selftests/mm/*', '*/tools/testing/selftests/*.h', '*/tools/include/*', '*/tools/arch/*/include/*',
                        *(['*/include/vdso/*'] if package != 'linux-source-6.1' else [])],
                       check=True, stderr=subprocess.DEVNULL)
        for name in PROGRAMS:
            build(name, pathlib.Path(where), folder)
    return folder


def newest():
    """The package's name and version; what is in the cache serves where the mirror cannot be reached."""
    for package in PACKAGES:
        status, printed = capture(['apt-cache', 'show', '--no-all-versions', package])
        if status == 0 and (found := re.search(r'(?m)^Version: (.*)$', printed)):
            return package, found[1].replace(':', '%3a')
    raise Missing('no source of the kernel is in the lists of this system (apt-get update)')


def build(name, top, folder):
    tests = top / 'tools/testing/selftests'
    sources = [path for path in (tests / f'mm/{part}.c' for part in (name, 'vm_util', 'thp_settings')) if path.exists()]
    status, printed = capture(
        [compiler(), '-O2', '-w', '-static', '-no-pie', '-U_FORTIFY_SOURCE', '-D_GNU_SOURCE=', '-I', top, '-I', tests,
         '-isystem', top / 'tools/include/uapi', '-o', folder / f'{name}.new', *sources, '-lnuma', '-lpthread', '-lrt'])
    if status:
        raise Missing(f'{name} of this kernel source cannot be compiled here: {printed.strip().splitlines()[0]}')
    shutil.move(folder / f'{name}.new', folder / name)


def run(folder):
    """Each of the tests once, on this host's KSM, and up to twice more where it fails: its name, and `pass`, `skip` or
    `fail` with what it said."""
    results = {}
    for name, call in CALLS.items():
        for _ in range(TRIES):
            found = outcome(folder, name, *call.split())
            if not any(result.startswith('fail') for result in found.values()):
                break
        results |= found
    return results


def outcome(folder, name, program, *arguments):
    status, printed = call_limited(folder, [f'./{program}', *arguments])
    if program != 'ksm_tests':
        return functional(status, printed)
    skipped = status == SKIPPED or re.search(r'(?m)^ok 1 .*# SKIP', printed)
    return {name: 'skip' if skipped else 'pass' if status == 0 else f'fail: {last_line(printed)}'}


def call_limited(folder, command):
    """Status and output. On a terminal, where each line is written at once: into a pipe, the children would write what
    their parent had in its buffer once more. One test executes its program again, by a path from the working folder."""
    done = subprocess.run(['timeout', '-k', '5', str(LIMIT), 'script', '-qec', ' '.join(command), '/dev/null'],
                          cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode(errors='replace').replace('\r', '')


def last_line(text):
    return (text.strip().splitlines() or ['nothing was said'])[-1]


def functional(status, printed):
    """The subtests by the names that they announce; a failure stays one. What the last one of a fork says comes late,
    behind what its child says, so that one counts in the status of all alone."""
    results, name = {}, None
    for line in printed.splitlines():
        if begun := re.match(r'# \[RUN\] (\w+)', line):
            name = begun[1]
        elif name and (told := re.match(r'(not )?ok \d+ (.*)', line)) and not results.get(name, '').startswith('fail'):
            results[name] = f'fail: {told[2]}' if told[1] else 'skip' if '# SKIP' in told[2] else 'pass'
    results['functional, all'] = 'pass' if status == 0 else f'fail: status {status}, {last_line(printed)}'
    return results


def compared(reference, results):
    """What passes without a daemon and not with it, as lines."""
    return [f'{name}: {results.get(name, "not run")}' for name, result in reference.items()
            if result == 'pass' and results.get(name) != 'pass']
