"""A host of plain files with thousands of processes that change: /proc, KSM's files, and nothing else."""
import pathlib, shutil
from . import world
from .kernel import KSM, PAGE, write

TOTAL = 256 << 20                       # KiB of memory
COUNTERS = ('full_scans', 'pages_shared', 'pages_sharing', 'pages_unshared', 'pages_volatile', 'pages_scanned',
            'pages_skipped', 'ksm_zero_pages', 'general_profit', 'stable_node_chains', 'stable_node_dups')
KNOBS = dict(run=0, pages_to_scan=100, sleep_millisecs=20, merge_across_nodes=1, max_page_sharing=256, use_zero_pages=0,
             stable_node_chains_prune_millisecs=2000, smart_scan=1, advisor_mode='[none] scan-time', advisor_max_cpu=70,
             advisor_min_pages_to_scan=500, advisor_max_pages_to_scan=30000, advisor_target_scan_time=200)
NAMES = 'bash', 'CPU 0/KVM', 'systemd', 'kworker/0:1', 'qemu-img', 'a) R 1 (b', 'postgres', 'x' * 15
GUESTS = 'qemu-system-x86', 'kvm', 'qemu-kvm', 'cloud-hyperviso', 'firecracker'
# What it has of a host, for shared.world.
PLACES = KSM, '/run', '/var/lib'


class Tree:
    """The host, changed by a random generator of the caller's."""

    def __init__(self, folder, random):
        self.folder, self.random = pathlib.Path(folder), random
        self.processes, self.guests, self.next = [], {}, 1000
        self.free, self.counts = TOTAL // 2, dict(processes=0, guests=0, renamed=0)
        self.ksm = self.folder / KSM.lstrip('/')
        for name in ('run', 'var/lib'):
            (self.folder / name).mkdir(parents=True)
        world.mark(folder)
        for name, value in KNOBS.items():
            write(self.ksm / name, f'{value}\n')
        self.counters = dict.fromkeys(COUNTERS, 0)
        self.say_counters()
        self.say_memory()
        write(self.folder / 'proc/vmstat', 'pgscan_kswapd 0\npgscan_direct 0\npswpin 0\npswpout 0\nksm_swpin_copy 0\n')
        self.add_thread(50, 'ksmd')

    # --- Memory and KSM ---

    def say_memory(self):
        write(self.folder / 'proc/meminfo',
              f'MemTotal: {TOTAL:>14} kB\nMemFree: {self.free:>15} kB\nMemAvailable: {self.free:>10} kB\n'
              'Buffers:               0 kB\nCached:                0 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n')

    def say_counters(self):
        for name, value in self.counters.items():
            write(self.ksm / name, f'{value}\n')

    def knob(self, name):
        return (self.ksm / name).read_text().strip()

    def scan(self, pages):
        """What ksmd does in a while, where it is to run."""
        if self.knob('run') == '1':
            total = sum(self.guests.values()) + 1
            self.counters['pages_scanned'] += pages
            self.counters['full_scans'] += self.random.randint(0, 3)
            self.counters['pages_sharing'] = self.random.randint(0, total // 2)
            self.counters['pages_shared'] = self.counters['pages_sharing'] // 3
            self.counters['pages_unshared'] = self.random.randint(0, total // 2)
            self.counters['general_profit'] = self.counters['pages_sharing'] * PAGE
        elif self.knob('run') == '2':
            self.counters |= dict(pages_sharing=0, pages_shared=0, pages_unshared=0, general_profit=0)
        self.say_counters()

    def scan_in_vain(self):
        """Three passes that find nothing."""
        self.counters['full_scans'] += 3
        self.counters['pages_scanned'] += 1 << 24
        self.say_counters()

    # --- Processes ---

    def add_thread(self, pid, name):
        folder = self.folder / 'proc' / str(pid)
        folder.mkdir()
        for file, text in dict(comm=f'{name}\n', cmdline='', statm='0 0 0 0 0 0 0\n', schedstat='1000 0 1\n',
                               stat=f'{pid} ({name}) S 2 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 25 5 1 0 5 0 0\n').items():
            write(folder / file, text)
        return folder

    def add(self, is_guest=False):
        self.next += 1
        pid, name = self.next, self.random.choice(GUESTS if is_guest else NAMES)
        folder = self.folder / 'proc' / str(pid)
        folder.mkdir()
        write(folder / 'comm', f'{name}\n')
        write(folder / 'cmdline', f'/usr/bin/{name}\0-enable-kvm\0-name\0guest\0' if is_guest else f'{name}\0-x\0')
        write(folder / 'status', f'Name:\t{name[:15]}\nTgid:\t{pid}\nNgid:\t0\nPid:\t{pid}\n')
        self.counts['processes'] += 1
        if is_guest:
            self.guests[pid] = 0
            self.counts['guests'] += 1
        else:
            self.processes.append(pid)
        self.fill(pid)
        return pid

    def fill(self, pid):
        """Another resident size, in pages."""
        resident = self.random.randint(1, 1 << 18)
        if pid in self.guests:
            self.guests[pid] = resident
        write(self.folder / f'proc/{pid}/statm', f'{resident * 2} {resident} 100 100 0 {resident} 0\n')

    def rename(self, pid):
        write(self.folder / f'proc/{pid}/comm', f'{self.random.choice(NAMES)}\n')
        self.counts['renamed'] += 1

    def remove(self, pid):
        # A descriptor that is held of the kernel's file would read zeros; of a plain one it would read on for ever.
        write(self.folder / f'proc/{pid}/statm', '0 0 0 0 0 0 0\n')
        shutil.rmtree(self.folder / f'proc/{pid}')
        if self.guests.pop(pid, None) is None:
            self.processes.remove(pid)

    def resize(self, processes, guests):
        """So many of both."""
        while len(self.processes) > processes:
            self.remove(self.processes[-1])
        while len(self.guests) > guests:
            self.remove(next(reversed(self.guests)))
        while len(self.processes) < processes:
            self.add()
        while len(self.guests) < guests:
            self.add(is_guest=True)

    def churn(self, count):
        """Some end, as many come, some change."""
        for _ in range(count):
            self.remove(self.random.choice(self.processes))
            self.add()
            self.rename(self.random.choice(self.processes))
        self.remove(self.random.choice(list(self.guests)))
        self.add(is_guest=True)
        for _ in range(count):
            self.fill(self.random.choice(list(self.guests)))
        self.free = self.random.randint(TOTAL // 50, TOTAL * 4 // 5)
        self.say_memory()
