"""Runs of the built tests, each with one mutant, none of which can reach this machine."""

import os
import re
import resource
import shutil
import signal
import subprocess
import threading
from pathlib import Path

# What a run sees at /mnt is its own: the number of its mutant, what was reached, its temporary files. KSM is hidden, and
# processes have a namespace of their own, so that a mutant can neither write to the one nor signal the others.
INSIDE = """
mount --bind "$1" /mnt || exit 124
[ ! -d /sys/kernel/mm/ksm ] || mount -t tmpfs none /sys/kernel/mm/ksm || exit 124
shift
"$@"
exit $?
"""
FAILED = re.compile(r'✘|recorded an issue|Fatal error|Test run with .* failed')
MEMORY = 6 << 30


def namespaces() -> list[str]:
    command = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
    return command if os.geteuid() == 0 else [*command, '--user', '--map-root-user']


def obstacle() -> str | None:
    """Why nothing can be run here."""
    result = subprocess.run([*namespaces(), 'true'], capture_output=True, text=True)
    return None if result.returncode == 0 else f'no namespaces of our own here: {result.stderr.strip()}'


class Trials:
    def __init__(self, tree: Path, runs: Path) -> None:
        self.bundle = next((tree / '.build/debug').glob('*PackageTests.xctest'))
        self.tree = tree
        self.runs = runs

    def suites(self) -> list[str]:
        output = subprocess.run(
            [self.bundle, '--testing-library', 'swift-testing', '--list-tests'],
            cwd=self.tree, check=True, capture_output=True, text=True,
        ).stdout
        found = {re.match(r'[\w.`]+', line).group() for line in output.splitlines() if '.' in line.split('/')[0]}
        if not found:
            raise RuntimeError('there are no tests')
        return sorted(found)

    def reached(self, suite: str, cpu_seconds: int = 600) -> tuple[bool, set[int], str]:
        """Which places a suite reaches, and whether it passes without a mutant."""
        verdict, folder, output = self.run(-1, [suite], f'reach-{suite}', cpu_seconds, 900)
        numbers = {int(file.name) for file in (folder / 'reached').iterdir()}
        shutil.rmtree(folder, ignore_errors=True)
        return verdict == 'survived', numbers, output

    def try_mutant(self, number: int, suites: list[str], cpu_seconds: int, seconds: int) -> tuple[str, str]:
        verdict, folder, output = self.run(number, suites, f'mutant-{number}', cpu_seconds, seconds)
        shutil.rmtree(folder, ignore_errors=True)
        return verdict, output

    def run(
        self, number: int, suites: list[str], name: str, cpu_seconds: int, seconds: int
    ) -> tuple[str, Path, str]:
        """`noticed`, `timeout` or `survived`."""
        folder = self.runs / name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / 'tmp').mkdir(parents=True)
        (folder / 'reached').mkdir()
        (folder / 'mutant').write_text(f'{number}\n')
        pattern = '^(' + '|'.join(re.escape(suite) for suite in suites) + ')[/(]'
        command = [*namespaces(), 'sh', '-c', INSIDE, 'sh', str(folder), str(self.bundle)]
        command += ['--testing-library', 'swift-testing', '--filter', pattern]

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            # Under nohup(1) a signal sent by mistake would end nothing.
            signal.signal(signal.SIGHUP, signal.SIG_DFL)

        environment = {**os.environ, 'TMPDIR': '/mnt/tmp', 'SWIFT_BACKTRACE': 'enable=no'}
        process = subprocess.Popen(
            command, cwd=self.tree, env=environment, text=True, errors='replace', stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=limit,
        )
        hung = threading.Event()

        def end() -> None:
            hung.set()
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(seconds, end)
        timer.start()
        lines: list[str] = []
        is_noticed = False
        assert process.stdout
        for line in process.stdout:
            lines.append(line)
            # The first failure is enough, but where all is to be seen.
            if FAILED.search(line):
                is_noticed = True
                if number >= 0:
                    os.killpg(process.pid, signal.SIGKILL)
                    break
        process.stdout.close()
        status = process.wait()
        timer.cancel()
        output = ''.join(lines)
        if is_noticed:
            return 'noticed', folder, output
        if hung.is_set() or status in (128 + signal.SIGXCPU, 128 + signal.SIGKILL):
            return 'timeout', folder, output
        if status == 124:
            raise RuntimeError(output)
        return 'survived' if status == 0 else 'noticed', folder, output
