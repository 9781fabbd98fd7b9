"""What is missing here: a check is skipped with that reason, a benchmark refuses."""
import os, shutil


class Missing(Exception):
    """Why something cannot be done here, as a sentence without its full stop."""


def need(condition, reason):
    if not condition:
        raise Missing(reason)


def need_root():
    need(os.geteuid() == 0, 'root is needed')


def need_programs(*programs):
    """Each as `program` or `program:package`, where Debian's package has another name."""
    for program, _, package in (text.partition(':') for text in programs):
        need(shutil.which(program), f'no {program} here (package {package or program})')


def need_built(path):
    need(os.access(path, os.X_OK), f'no {path}: build it first (make release)')


def compiler():
    """Of C."""
    found = next(filter(None, map(shutil.which, (os.environ.get('CC', 'cc'), 'gcc', 'clang'))), None)
    need(found, 'no C compiler here (package gcc)')
    return found


def need_x86(what):
    machine = os.uname().machine
    need(machine == 'x86_64', f'{what} is for x86_64, this machine is {machine}')
