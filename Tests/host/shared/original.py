"""The script that this project replaces, Debian's package ksmtuned: GPL, so it is fetched and no part of this project."""
import pathlib, subprocess
from .needs import Missing, need_programs
from .processes import capture


def fetch(folder, cache=None):
    """The script, unpacked in a folder; the package is fetched from the machine's mirror unless it is in the cache."""
    need_programs('apt-get:apt', 'dpkg-deb:dpkg')
    cache = pathlib.Path(cache or folder)
    cache.mkdir(parents=True, exist_ok=True)
    if not list(cache.glob('ksmtuned_*.deb')):
        status, printed = capture(['apt-get', '-qq', '-o', 'APT::Sandbox::User=root', 'download', 'ksmtuned'], cwd=cache)
        if status or not list(cache.glob('ksmtuned_*.deb')):
            raise Missing(f'the original cannot be fetched with apt-get download ksmtuned: {printed.strip()}')
    package = sorted(cache.glob('ksmtuned_*.deb'))[-1]
    subprocess.run(['dpkg-deb', '-x', package, pathlib.Path(folder) / 'original'], check=True)
    return pathlib.Path(folder) / 'original/usr/sbin/ksmtuned'


def edited(variant, folder, cache=None):
    """As Debian (`debian`) or Proxmox VE (`proxmox`) run it, for a benchmark.

    Three edits, none of which changes a decision: another configuration file, the loop in the foreground, and for
    Proxmox its way to count."""
    folder = pathlib.Path(folder)
    text = fetch(folder, cache).read_text()
    edits = [('/etc/ksmtuned.conf', str(folder / 'original.conf')), ('loop &\n', 'loop\n')]
    if variant == 'proxmox':
        edits += [("pgrep -f -d ' ' '^qemu-system.*-enable-kvm'", "pgrep -x -d ' ' kvm"), ('-o rsz=', '-o pss=')]
    for old, new in edits:
        if old not in text:
            raise Missing(f'this version of the original has no {old!r}')
        text = text.replace(old, new)
    script = folder / variant / 'ksmtuned'
    script.parent.mkdir(exist_ok=True)
    script.write_text(text)
    script.chmod(0o755)
    return script
