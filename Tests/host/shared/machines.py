"""Virtual machines: an image made from Debian's packages, and QEMU."""
import json, lzma, os, pathlib, re, shutil, socket, subprocess
from .kernel import read
from .needs import Missing, need, need_programs, need_x86
from .packages import unpacked
from .processes import LIMIT, capture

HERE = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache')
QEMU = 'qemu-system-x86_64'
# The suite of the kernel where none is asked for: on Debian 12 the one that has advisor and smart_scan.
KERNEL = 'bookworm-backports' if 'VERSION_CODENAME=bookworm' in read('/etc/os-release') else 'stable'


def build_image(kernel=None):
    """The folder of an image, and a remark where it is not what was asked for.

    `kernel` is the suite from which the kernel comes: `stable`, or one such as bookworm-backports, the default on
    Debian 12 (6.12, with advisor and smart_scan); there `stable` is taken where the other cannot be reached. The image
    is built from packages of the machine's own mirror, and cached: offline, what was built before still serves."""
    need_x86('the image')
    need_programs(f'{QEMU}:qemu-system-x86', 'cpio', 'zstd', 'apt-get:apt', 'dpkg-deb:dpkg', 'systemd-sysusers:systemd',
                  'flock:util-linux')
    reasons = []
    for suite in [kernel] if kernel else dict.fromkeys([KERNEL, 'stable']):
        folder = CACHE / 'ksmtuned-e2e' / suite
        folder.mkdir(parents=True, exist_ok=True)
        status, printed = capture(['flock', folder, HERE / 'image/build-image', folder, '' if suite == 'stable' else suite])
        if status == 0:
            return folder, f'no kernel of {KERNEL} ({reasons[0]}), taking the stable one' if reasons else ''
        lines = printed.strip().splitlines() or ['?']
        reason = next((line for line in lines if line.startswith('E:')), lines[-1])
        if all((folder / name).exists() for name in ('stamp', 'root.cpio', 'vmlinux')):
            return folder, f'the image could not be confirmed ({reason}), using it as it is'
        reasons.append(reason)
    raise Missing(f'no image can be built from the packages of this system: {reasons[0]}')


def archive(folder):
    """All that is in a folder, as an initramfs."""
    names = subprocess.run(['find', '.', '-print0'], cwd=folder, stdout=subprocess.PIPE, check=True).stdout
    return subprocess.run(['cpio', '--quiet', '-0', '-o', '-H', 'newc', '-R', '0:0'], cwd=folder, input=names,
                          stdout=subprocess.PIPE, check=True).stdout


def write_initrd(path, image, folder):
    """The image's files, and behind them those of a folder; its payload/test is what the machine runs."""
    with open(path, 'wb') as f, open(image / 'root.cpio', 'rb') as base:
        shutil.copyfileobj(base, f, 1 << 20)
        f.write(archive(folder))


def add_module(name, image, folder):
    """A module of the image's kernel as folder/NAME.ko, and what loads it as folder/insmod, from Debian's packages."""
    package, _, version = read(image / 'stamp').split()[0].partition('=')
    kept = image / f'{name}-{version}.ko'
    if not kept.exists():
        debs = list(image.glob(f'debs/{package}_{version.replace(":", "%3a")}_*.deb'))
        need(debs, f'the package {package} is no more there, which has the module {name}')
        with subprocess.Popen(['dpkg-deb', '--fsys-tarfile', debs[0]], stdout=subprocess.PIPE) as tree:
            packed = subprocess.run(['tar', '-xO', '--wildcards', f'*/{name}.ko.xz'], stdin=tree.stdout, capture_output=True)
        need(packed.returncode == 0, f'the package {package} has no module {name}')
        kept.write_bytes(lzma.decompress(packed.stdout))
    shutil.copy(kept, folder / f'{name}.ko')
    kmod = unpacked('kmod', image / 'kmod', image / 'debs')
    shutil.copy(next(path for path in (kmod / 'bin/kmod', kmod / 'usr/bin/kmod') if path.exists()), folder / 'insmod')


def has_virtualization():
    """Whether a stock kernel runs in KVM here: /dev/kvm alone proves little, without vmx or svm it cannot."""
    return bool(re.search(r'\b(vmx|svm)\b', read('/proc/cpuinfo'))) and os.access('/dev/kvm', os.R_OK | os.W_OK)


def qemu(image, initrd, serial, *options, program=None, merge='on', memory='512', processors=1, append=''):
    """The command that boots a machine; `serial` are the files of its serial ports, and memory is what -m takes.

    QEMU 7.2 without virtualization crashes kernels from 6.12 in cmpxchg16b when it has several processors. Only the
    kernel is told that there is none (clearcpuid): Swift's runtime, which does not ask, needs the instruction."""
    hard = has_virtualization()
    words = f'console=ttyS0 panic=-1 reboot=t rdinit=/init{"" if hard else " clearcpuid=cx16"} quiet {append}'
    ports = [word for port in serial for word in ('-serial', f'file:{port}' if port else 'null')]
    return [program or shutil.which(QEMU), '-machine', f'q35,mem-merge={merge}',
            '-accel', 'kvm' if hard else 'tcg' + (',thread=multi' if processors > 1 else ''),
            '-cpu', 'host,arch-capabilities=off' if hard else 'max', '-smp', processors, '-m', memory, '-nodefaults',
            '-no-user-config', '-display', 'none', '-no-reboot', *options, '-kernel', image / 'vmlinux',
            '-initrd', initrd, '-append', words.strip(), *ports]


class Monitor:
    """QEMU's machine protocol, on a socket that `-qmp` names."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile()
        self.lines.readline()                                   # its greeting
        self('qmp_capabilities')

    def __call__(self, command, **arguments):
        """What the command returns."""
        self.socket.sendall(json.dumps({'execute': command, 'arguments': arguments}).encode())
        for line in self.lines:
            answer = json.loads(line)
            assert 'error' not in answer, f'{command}: {answer["error"]["desc"]}'
            if 'return' in answer:
                return answer['return']
        raise AssertionError(f'{command}: the monitor is gone')

    def close(self):
        self.lines.close()
        self.socket.close()
