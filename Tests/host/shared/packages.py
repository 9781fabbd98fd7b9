"""Debian's packages, for what is fetched and no part of this project."""
import pathlib, subprocess
from .needs import Missing, need_programs
from .processes import capture


def unpacked(name, folder, cache=None):
    """The package's files, in that folder; it is fetched from the machine's mirror unless it is in the cache."""
    need_programs('apt-get:apt', 'dpkg-deb:dpkg')
    cache = pathlib.Path(cache or folder)
    cache.mkdir(parents=True, exist_ok=True)
    if not list(cache.glob(f'{name}_*.deb')):
        status, printed = capture(['apt-get', '-qq', '-o', 'APT::Sandbox::User=root', 'download', name], cwd=cache)
        if status or not list(cache.glob(f'{name}_*.deb')):
            raise Missing(f'{name} cannot be fetched with apt-get download {name}: {printed.strip()}')
    subprocess.run(['dpkg-deb', '-x', sorted(cache.glob(f'{name}_*.deb'))[-1], folder], check=True)
    return pathlib.Path(folder)
