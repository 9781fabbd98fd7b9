"""avocado-vt's KSMController, a client that looks for the daemon, writes KSM's files and ends the daemon."""
import os, pathlib, shutil, sys
from . import selftests
from .machines import CACHE
from .needs import Missing
from .processes import capture

CLIENT = '''
import sys
from virttest.utils_misc import KSMController
ksm = KSMController()
for word in sys.argv[1:]:
    name, *values = word.split("=")
    if values:
        ksm.set_ksm_feature({name: int(values[0])})
    else:
        print(name, getattr(ksm, name)())
'''
# Where a Python has its modules, and what of them no client needs.
PLACES = 'import os, sys, sysconfig, virttest; print(os.path.realpath(sys.executable)); print(sysconfig.get_path("stdlib")); ' \
         'print(os.path.dirname(os.path.dirname(virttest.__file__)))'
LEFT_OUT = 'test', 'tests', 'idlelib', 'tkinter', 'turtledemo', 'lib2to3', 'ensurepip', 'config-*', 'site-packages', 'dist-packages', 'pip'


def python():
    """A Python that has avocado-vt: the system's, or one in the cache, made with pip."""
    made = CACHE / 'ksmtuned-avocado'
    usable = lambda python: capture([python, '-c', 'import virttest.utils_misc'])[0] == 0
    for there in (sys.executable, made / 'bin/python'):
        if os.path.exists(there) and usable(there):
            return there
    status, printed = capture([sys.executable, '-m', 'venv', made])
    if status == 0:
        status, printed = capture([made / 'bin/pip', '-q', 'install', 'avocado-framework-plugin-vt'])
    if status or not usable(made / 'bin/python'):
        raise Missing(f'avocado-framework-plugin-vt cannot be installed: {selftests.last_line(printed)}')
    return made / 'bin/python'


def stage(folder):
    """Lays a Python with avocado-vt and the client into payload/avocado.

    Returns all in it that is linked with libraries."""
    status, printed = capture([python(), '-c', PLACES])
    assert status == 0, printed
    program, modules, packages = map(pathlib.Path, printed.split('\n')[:3])
    home = folder / 'payload/avocado'
    shutil.copytree(modules, home / 'lib' / modules.name, ignore=shutil.ignore_patterns(*LEFT_OUT))
    shutil.copytree(packages, home / 'packages', ignore=shutil.ignore_patterns('pip', 'pip-*'))
    (home / 'bin').mkdir()
    shutil.copy2(program, home / 'bin/python3')
    (home / 'client.py').write_text(CLIENT)
    return [home / 'bin/python3', *home.rglob('*.so')]
