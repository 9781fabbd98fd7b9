"""Debian's packages, for what is fetched and no part of this project."""
import pathlib, subprocess
from .needs import Missing, need_programs
from .processes import capture


def fetched(name, cache):
    """The package itself; it is fetched from the machine's mirror unless it is in the cache."""
    need_programs('apt-get:apt')
    cache = pathlib.Path(cache)
    cache.mkdir(parents=True, exist_ok=True)
    if not list(cache.glob(f'{name}_*.deb')):
        status, printed = capture(['apt-get', '-qq', '-o', 'APT::Sandbox::User=root', 'download', name], cwd=cache)
        if status or not list(cache.glob(f'{name}_*.deb')):
            raise Missing(f'{name} cannot be fetched with apt-get download {name}: {printed.strip()}')
    return sorted(cache.glob(f'{name}_*.deb'))[-1]


def unpacked(name, folder, cache=None):
    """The package's files, in that folder."""
    need_programs('dpkg-deb:dpkg')
    subprocess.run(['dpkg-deb', '-x', fetched(name, cache or folder), folder], check=True)
    return pathlib.Path(folder)
