"""The packages that are installed one over the other in a booted host, and dpkg for it."""
import pathlib, re, shutil, subprocess, tempfile
from .kernel import read
from .needs import need, need_programs
from .packages import fetched
from .tested import TOP

BUILT = TOP / '.build/packages'
# What the image lacks: dpkg with tar, the Perl of deb-systemd-helper, and the parser of AppArmor's profiles. They come
# with the packages that the image was made from, or from the same mirror.
TOOLS = 'dpkg', 'tar', 'perl-base', 'apparmor', 'libc-bin'
# Of these the libraries are needed, too.
PROGRAMS = 'usr/bin/dpkg', 'usr/bin/dpkg-deb', 'bin/tar', 'usr/bin/perl', 'sbin/apparmor_parser', 'usr/bin/aa-enabled'
LEFT_OUT = './usr/share/doc', './usr/share/man', './usr/share/locale', './usr/share/info'
OLDER = '1:0.0.9'


def built():
    """The package of this tree."""
    version = re.search(r'programVersion = "(.*)"', (TOP / 'Sources/HostKernel/Version.swift').read_text())[1]
    found = sorted(BUILT.glob(f'ksmtuned_{version}_*.deb'))
    need(found, f'no ksmtuned_{version}_*.deb in .build/packages: build it first (make deb)')
    return found[-1]


def repacked(original, path, units=None, **fields):
    """The same package with other fields in its control file, and with its units in that folder."""
    with tempfile.TemporaryDirectory(prefix='ksmtuned-deb.') as folder:
        subprocess.run(['dpkg-deb', '-R', original, f'{folder}/tree'], check=True)
        control = pathlib.Path(f'{folder}/tree/DEBIAN/control')
        if units:
            (there,) = pathlib.Path(f'{folder}/tree').glob('**/systemd/system')
            kept = shutil.move(there, f'{folder}/units')
            place = pathlib.Path(f'{folder}/tree/{units}')
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(kept, place)
        text = control.read_text()
        for name, value in fields.items():
            text, count = re.subn(fr'(?m)^{name}: .*$', f'{name}: {value}', text)
            assert count == 1, f'{original} has no {name}'
        control.write_text(text)
        subprocess.run(['dpkg-deb', '--root-owner-group', '-Znone', '-b', f'{folder}/tree', path], check=True,
                       stdout=subprocess.DEVNULL)


def stage(folder, image):
    """Lays dpkg with a list of what the image is made from into the folder, and the packages into payload/packages."""
    need_programs('dpkg-deb:dpkg', 'apt-get:apt')
    ours, cache = built(), image / 'debs'
    packages = folder / 'payload/packages'
    packages.mkdir()
    shutil.copy(fetched('ksmtuned', cache), packages / 'debian.deb')
    # Uncompressed, which an emulated machine takes minutes for otherwise.
    repacked(ours, packages / 'ours.deb')
    repacked(ours, packages / 'older.deb', Version=OLDER)
    # Proxmox VE has the same script, units and configuration under this name.
    # The units lie in either of the two folders that are one.
    for name, units in ('proxmox', 'lib/systemd/system'), ('proxmox-usr', 'usr/lib/systemd/system'):
        repacked(packages / 'debian.deb', packages / f'{name}.deb', units, Package='ksm-control-daemon', Version='1.5-1')
    # What autopkgtest runs on an installed package.
    for name in 'units', 'root-tree':
        shutil.copy(TOP / 'packaging/debian/tests' / name, packages)
    for name in TOOLS:
        with subprocess.Popen(['dpkg-deb', '--fsys-tarfile', fetched(name, cache)], stdout=subprocess.PIPE) as tree:
            subprocess.run(['tar', '-x', '-C', folder, '--no-same-owner', *(f'--exclude={path}' for path in LEFT_OUT)],
                           stdin=tree.stdout, check=True)
    database = folder / 'var/lib/dpkg'
    for name in 'info', 'updates', 'alternatives':
        (database / name).mkdir(parents=True, exist_ok=True)
    # The image's packages, so that dependencies are judged by what is there.
    installed = dict(word.split('=', 1) for word in read(image / 'stamp').split()[1:] if '=' in word)
    assert 'libsystemd0' in installed
    (database / 'status').write_text(''.join(
        f'Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nMaintainer: image\nVersion: {version}\n'
        f'Description: part of the image\n\n' for name, version in installed.items()))
    for name in installed:
        (database / 'info' / f'{name}.list').write_text('')
