"""A copy of the tree in which every chosen place has both forms, built once."""

import re
import shutil
import subprocess
from pathlib import Path

from places import Place

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ERROR = re.compile(r'^(?P<path>/[^:\n]+):(?P<line>\d+):\d+: error: (?P<text>.*)$', re.MULTILINE)
# A module comes after those it imports: what does not compile is found one module after the other.
TARGETS = ['KSMPolicy', 'HostKernel', 'Tuner', 'HostInspection']


class BuildError(Exception):
    pass


class Tree:
    def __init__(self, folder: Path, log: Path) -> None:
        self.folder = folder
        self.log = log

    # What is not tracked is not copied, but for new sources that are not committed yet.
    def copy(self) -> None:
        listing = subprocess.run(
            ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout
        names = {name for name in listing.split('\0') if name and (ROOT / name).is_file()}
        names.discard('Package.swift')
        for name in names:
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            # These are written by rewrite(): twice would make them look new, and be compiled again.
            if name.startswith('Sources/') and name.endswith('.swift'):
                continue
            if not target.exists() or target.read_bytes() != (ROOT / name).read_bytes():
                shutil.copy(ROOT / name, target)
        for top in ('Sources', 'Tests'):
            for path in (self.folder / top).rglob('*'):
                if path.is_file() and str(path.relative_to(self.folder)) not in names and 'CMutants' not in path.parts:
                    path.unlink()
        for name in ('checkouts', 'repositories', 'workspace-state.json'):
            source, target = ROOT / '.build' / name, self.folder / '.build' / name
            if source.exists() and not target.exists():
                target.parent.mkdir(exist_ok=True)
                subprocess.run(['cp', '-a', source, target], check=True)
        self.add_helper()

    def add_helper(self) -> None:
        module = self.folder / 'Sources' / 'CMutants'
        (module / 'include').mkdir(parents=True, exist_ok=True)
        write(module / 'mutants.c', (HERE / 'schemata/mutants.c').read_text())
        write(module / 'include/mutants.h', (HERE / 'schemata/mutants.h').read_text())
        package = (ROOT / 'Package.swift').read_text()
        before = '.target(name: "KSMPolicy", swiftSettings: daemon)'
        after = '.target(name: "CMutants"),\n.target(name: "KSMPolicy", dependencies: ["CMutants"], swiftSettings: daemon)'
        warnings = '.treatAllWarnings(as: .error),'
        if before not in package or warnings not in package:
            raise BuildError('Package.swift is not as expected: look at tree.py')
        write(self.folder / 'Package.swift', package.replace(before, after).replace(warnings, ''))

    def rewrite(self, chosen: dict[int, Place]) -> None:
        by_path: dict[str, list[tuple[int, Place]]] = {}
        for number, place in chosen.items():
            by_path.setdefault(place.path, []).append((number, place))
        for path in (ROOT / 'Sources').rglob('*.swift'):
            name = str(path.relative_to(ROOT))
            source = path.read_text()
            places = sorted(by_path.get(name, []), key=lambda item: -item[1].start)
            for number, place in places:
                text = place.template.replace('MUTANT', f'mutant({number})')
                missing = source[place.start : place.end].count('\n') - text.count('\n')
                source = source[: place.start] + text + '\n' * max(missing, 0) + source[place.end :]
            if places:
                source = 'public import CMutants; ' + source
            write(self.folder / name, source)

    def build(self, chosen: dict[int, Place]) -> dict[int, Place]:
        """Builds it, without those places that do not compile.

        Returns the places that are left.
        """
        left = dict(chosen)
        modules = {place.path.split('/')[1] for place in left.values()}
        steps = [['--target', name] for name in TARGETS if name in modules] + [['--build-tests']]
        for step in steps:
            for _ in range(12):
                self.rewrite(left)
                output = self.swift_build(step)
                if output is None:
                    break
                bad = self.blamed(output, left)
                if not bad:
                    raise BuildError(f'it does not build, and no mutant is to blame: see {self.log}')
                for number in bad:
                    del left[number]
            else:
                raise BuildError(f'it does not build after many attempts: see {self.log}')
        return left

    def swift_build(self, step: list[str]) -> str | None:
        """The output of a build that failed."""
        result = subprocess.run(
            ['swift', 'build', *step], cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        with self.log.open('a') as log:
            log.write(f'--- swift build {" ".join(step)}: {result.returncode}\n{result.stdout}\n')
        return None if result.returncode == 0 else result.stdout

    def blamed(self, output: str, chosen: dict[int, Place]) -> set[int]:
        bad: set[int] = set()
        for match in ERROR.finditer(output):
            try:
                name = str(Path(match['path']).relative_to(self.folder))
            except ValueError:
                continue
            line = int(match['line'])
            here = [(number, place) for number, place in chosen.items() if place.path == name]
            # Of a multi-line expression any line may be named.
            for reach in (0, 1, 3, 10, 100_000):
                near = {
                    number
                    for number, place in here
                    if place.line - reach <= line <= place.line + place.original_lines + reach
                }
                if near:
                    bad |= near
                    break
        return bad


def write(path: Path, text: str) -> None:
    """Leaves a file alone that holds this already, so that it is not compiled again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
