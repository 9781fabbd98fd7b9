"""The script that this project replaces, Debian's package ksmtuned: GPL, so it is fetched and no part of this project."""
import pathlib
from .needs import Missing
from .packages import unpacked


def fetch(folder, cache=None):
    """The script, unpacked in a folder; the package is fetched from the machine's mirror unless it is in the cache."""
    return unpacked('ksmtuned', pathlib.Path(folder) / 'original', cache or folder) / 'usr/sbin/ksmtuned'


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
