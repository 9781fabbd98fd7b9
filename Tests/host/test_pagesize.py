"""The size of a page is the kernel's word: 4 KiB here, 16 or 64 KiB on some kernels of ARM and POWER. The programs are told
another one (pagesize.c), and every amount that is counted in pages must follow. They need no root, and see a tree only.
"""
import json, os, subprocess
import pytest
from shared.kernel import write
from shared.needs import compiler
from shared.tested import HERE

RESIDENT, MERGED, SHARING, ZERO = 10_000, 700, 3_000, 50        # pages
KSM = dict(run=0, pages_to_scan=100, sleep_millisecs=20, full_scans=3, pages_shared=10, pages_sharing=SHARING,
           pages_unshared=0, pages_volatile=0, pages_scanned=9000, ksm_zero_pages=ZERO)
QEMU = 'qemu-system-x86_64', '-m', '8G'


@pytest.fixture(scope='module')
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp('pagesize') / 'pagesize.so'
    subprocess.run([compiler(), '-shared', '-fPIC', '-O2', '-o', path, HERE / 'pagesize.c', '-ldl'], check=True)
    return path


@pytest.fixture
def root(tmp_path):
    """A host of 64 GiB with one guest."""
    def say(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, text)
    say('proc/meminfo', ''.join(f'{name}: {amount} kB\n' for name, amount in dict(
        MemTotal=64 << 20, MemFree=32 << 20, MemAvailable=32 << 20, Buffers=0, Cached=0, SwapTotal=0, SwapFree=0).items()))
    for name, value in KSM.items():
        say(f'sys/kernel/mm/ksm/{name}', f'{value}\n')
    say('proc/100/comm', 'qemu-system-x86\n')
    say('proc/100/statm', f'99999 {RESIDENT} 0 0 0 0 0\n')
    say('proc/100/stat', f'100 (qemu-system-x86) S 1 {" ".join(["0"] * 48)}\n')
    say('proc/100/status', 'Name:\tqemu-system-x86\nPPid:\t1\nUid:\t0\t0\t0\t0\n')
    say('proc/100/cmdline', ''.join(f'{word}\0' for word in QEMU))
    say('proc/100/ksm_stat', f'ksm_rmap_items 9000\nksm_zero_pages {ZERO}\nksm_merging_pages {MERGED}\nksm_process_profit 1\n')
    say('proc/uptime', '9000.00 9000.00\n')
    for folder in ('run', 'var/lib', 'etc'):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    return tmp_path


@pytest.mark.parametrize('size', [4096, 16384, 65536])
def test_amounts_follow_the_size_of_a_page(programs, library, root, size):
    def run(program, *words):
        return subprocess.run([program, '--root', root, *words] if program == programs.daemon else
                              [program, *words, '--root', root, '--json'], capture_output=True, text=True,
                              env={'PATH': os.environ['PATH'], 'LD_PRELOAD': str(library), 'PAGE_SIZE': str(size)})
    decided = run(programs.daemon, '--once', '--debug')
    assert decided.returncode == 0, decided.stderr
    assert f'committed {RESIDENT * size // 1024} free {32 << 20}\n' in decided.stderr
    status = json.loads(run(programs.ksmctl, 'status').stdout)
    assert status['savings']['saved_bytes'] == (SHARING + ZERO) * size
    guest, = json.loads(run(programs.ksmctl, 'guests').stdout)['guests']
    assert guest['resident_bytes'] == RESIDENT * size
    assert guest['merged_bytes'] == MERGED * size
    assert guest['zero_bytes'] == ZERO * size
