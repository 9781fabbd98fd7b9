"""Virtual machines: an image made from Debian's packages, and QEMU."""
import os, pathlib, re, shutil, subprocess
from .kernel import read
from .needs import Missing, need_programs, need_x86
from .processes import capture

HERE = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache')
QEMU = 'qemu-system-x86_64'


def build_image(kernel=None):
    """The folder of an image, and a remark where it is not what was asked for.

    `kernel` is the suite from which the kernel comes: `stable`, or one such as bookworm-backports, the default on
    Debian 12 (6.12, with advisor and smart_scan); there `stable` is taken where the other cannot be reached. The image
    is built from packages of the machine's own mirror, and cached: offline, what was built before still serves."""
    need_x86('the image')
    need_programs(f'{QEMU}:qemu-system-x86', 'cpio', 'zstd', 'apt-get:apt', 'dpkg-deb:dpkg', 'systemd-sysusers:systemd',
                  'flock:util-linux')
    default = 'bookworm-backports' if 'VERSION_CODENAME=bookworm' in read('/etc/os-release') else 'stable'
    reasons = []
    for suite in [kernel] if kernel else dict.fromkeys([default, 'stable']):
        folder = CACHE / 'ksmtuned-e2e' / suite
        folder.mkdir(parents=True, exist_ok=True)
        status, printed = capture(['flock', folder, HERE / 'image/build-image', folder, '' if suite == 'stable' else suite])
        if status == 0:
            return folder, f'no kernel of {default} ({reasons[0]}), taking the stable one' if reasons else ''
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
