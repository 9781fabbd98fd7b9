"""What `policies` measures: the workloads, and the ways to drive KSM. Sizes and times are here."""
import dataclasses, math
from shared.kernel import MIB, PAGE, ksm


@dataclasses.dataclass(frozen=True)
class Workload:
    """What the guests do. Seconds count from their start; with a window it follows convergence."""
    about: str
    guests: int = 8
    mib: int = 512
    same: int = 60                      # percent of the pages
    zero: int = 10
    seconds: float = 180
    short: float = 0                    # the seconds of --short; 0: not part of it
    timed: float = 1                    # percent of the pages that may get timed writes
    rewrite: tuple = ()                 # percent, seconds
    replace: float = 0                  # seconds between two replacements of a guest
    options: tuple = ()
    window: float = 0                   # seconds measured after convergence
    short_window: float = 0
    settle: float = 20                  # between convergence and the window
    machine: str = ''                   # QEMU guests: what they do


WORKLOADS = {
    'storm': Workload('all guests start at once', short=30),
    'churn': Workload('one guest is replaced every 15 s', short=31, replace=15),
    'volatile': Workload('half of all pages get new contents every 5 s', seconds=120, rewrite=(50, 5)),
    'idle': Workload('after convergence, nothing happens', seconds=600, short=25, window=600, short_window=12, timed=0),
    'busy': Workload('after convergence, guests write what cannot be merged', seconds=600, window=600,
                     options=('--busy',)),
    'huge': Workload('all guests start at once, on huge pages', options=('--huge',)),
    'real': Workload('virtual machines that boot at once, then do nothing', guests=6, machine='idle'),
    'real-busy': Workload('the same machines, which write and compress files and start processes', guests=6,
                          machine='busy'),
}


@dataclasses.dataclass(frozen=True)
class Policy:
    about: str
    knobs: dict = dataclasses.field(default_factory=dict)      # written, then run=1, as the guests start
    script: str = ''                    # the original's variant
    config: dict = None                 # this project's daemon, and its settings
    ahead: float = 0                    # seconds that the program runs before the guests start
    guest: str = 'qemu-system-x86_64'   # the name of the guests' processes


# All of memory as the threshold: always short, so the programs scan, and harder each interval.
ALWAYS_SHORT = dict(KSM_THRES_COEF='100')
# The programs that decide each 60 s run since half an interval when the guests come: what comes of chance on average.
HALF = 30
POLICIES = {
    'kernel': Policy('100 pages every 20 ms', dict(pages_to_scan=100, sleep_millisecs=20)),
    'no-sleep': Policy('20000 pages without pause', dict(pages_to_scan=20000, sleep_millisecs=0)),
    'original': Policy("Debian's ksmtuned", script='debian', config=ALWAYS_SHORT, ahead=HALF),
    'proxmox': Policy("Proxmox VE's settings", script='proxmox', ahead=HALF, guest='kvm',
                      config=dict(ALWAYS_SHORT, KSM_SLEEP_MSEC='100')),
    'advisor': Policy('kernel advisor, 200 s', dict(advisor_mode='scan-time', advisor_target_scan_time=200)),
    'advisor-20': Policy('kernel advisor, 20 s', dict(advisor_mode='scan-time', advisor_target_scan_time=20)),
    'classic': Policy('this daemon, KSM_POLICY=classic', config=ALWAYS_SHORT, ahead=HALF),
    'adaptive': Policy('this daemon, KSM_POLICY=adaptive', config=dict(KSM_POLICY='adaptive'), ahead=2),
}
SHORT = ('no-sleep', 'advisor-20', 'adaptive')


def mergeable(workload):
    """Bytes that can be saved, by construction: of pages that are the same everywhere all but one; of zeros all but
    the one in each max_page_sharing that is kept."""
    pages = workload.mib * MIB // PAGE
    stays = 1 - workload.rewrite[0] / 100 if workload.rewrite else 1
    same = pages * stays * workload.same / 100 * (workload.guests - 1)
    zero = pages * stays * workload.zero / 100 * workload.guests
    return (same + zero - (0 if ksm('use_zero_pages') else math.ceil(zero / ksm('max_page_sharing')))) * PAGE


def sized(workload, options):
    """The workload as the options want it."""
    short = options.short and workload.short
    return dataclasses.replace(
        workload, mib=max(8, round(workload.mib * options.scale)),
        seconds=options.seconds or (workload.short if short else workload.seconds),
        window=workload.window and (options.window or (workload.short_window if short else workload.window)),
        settle=3 if short else workload.settle)


def most_memory(options):
    """MiB of all guests together, in the largest workload."""
    return max(w.guests * w.mib for w in (sized(WORKLOADS[name], options) for name in options.workloads))

