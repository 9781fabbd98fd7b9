"""What `policies` measures: the workloads, and the ways to drive KSM. Sizes and times are here."""
import dataclasses, math
from shared.kernel import MIB, PAGE, ksm


@dataclasses.dataclass(frozen=True)
class Guest:
    mib: int
    starts: float = 0                   # seconds after the first one
    fill: float = 0                     # seconds over which it fills its memory


@dataclasses.dataclass(frozen=True)
class Workload:
    """What the guests do. Seconds count from their start; with a window it follows convergence."""
    about: str
    guests: int = 8
    mib: int = 512
    differing: tuple = ()               # each Guest, where they are not alike; `guests` and `mib` say nothing then
    same: int = 60                      # percent of the pages
    zero: int = 10
    seconds: float = 180
    short: float = 0                    # the seconds of --short; 0: not part of it
    timed: float = 1                    # percent of the pages that may get timed writes
    rewrite: tuple = ()                 # percent, seconds
    become: tuple = ()                  # percent of the pages that become the same in all, seconds until all have
    give: tuple = ()                    # MiB that are given back and filled again, least and most seconds between
    replace: float = 0                  # seconds between two replacements of a guest
    options: tuple = ()
    window: float = 0                   # seconds measured after convergence
    short_window: float = 0
    settle: float = 20                  # between convergence and the window
    machine: str = ''                   # QEMU guests: what they do

    def each(self):
        """Its guests."""
        return self.differing or (Guest(self.mib),) * self.guests

    def described(self):
        sizes = sorted({guest.mib for guest in self.each()})
        return f'{len(self.each())} guests of {sizes[0]}' + (f' to {sizes[-1]} MiB' if sizes[1:] else ' MiB')


MIXED = (Guest(512), Guest(128, 8), Guest(1024, 16, fill=60), Guest(256, 24), Guest(768, 32, fill=30), Guest(384, 40),
         Guest(896, 48), Guest(640, 56))
SLOW_FILLER = (Guest(256),) * 10 + (Guest(768, 30, fill=90), Guest(256, 40), Guest(256, 60), Guest(256, 80))

WORKLOADS = {
    'storm': Workload('all guests start at once', short=30),
    'churn': Workload('one guest is replaced every 15 s', short=31, replace=15),
    'volatile': Workload('half of all pages get new contents every 5 s', seconds=120, rewrite=(50, 5)),
    'idle': Workload('after convergence, nothing happens', seconds=600, short=25, window=600, short_window=12, timed=0),
    'busy': Workload('after convergence, guests write what cannot be merged', seconds=600, window=600,
                     options=('--busy',)),
    'huge': Workload('all guests start at once, on huge pages', options=('--huge',)),
    'in-place': Workload('40 % of all pages become the same in all over 90 s, and no memory comes', mib=384, same=20,
                         become=(40, 90), seconds=200),
    'give-take': Workload('each gives 128 MiB back every 25 to 46 s, and fills them again with what is the same in all',
                          mib=384, give=(128, 25, 46)),
    'mixed': Workload('one starts every 8 s, and two fill their memory over 30 and 60 s', differing=MIXED, seconds=170),
    'hundred': Workload('one starts every 0.6 s', differing=tuple(Guest(48, .6 * n) for n in range(100)), seconds=120,
                        timed=0),
    'slow-filler': Workload('ten have converged, then one fills 768 MiB over 90 s and three more start', seconds=140,
                            differing=SLOW_FILLER),
    # Of the 40 % that are not rewritten: 25 % of all pages are the same, and 4 % zeros.
    'hot': Workload('60 % of all pages get new contents every 3 s', same=63, rewrite=(60, 3), seconds=150),
    'unique': Workload('nothing can be merged', same=0, zero=0, seconds=120),
    'real': Workload('virtual machines that boot at once, then do nothing', guests=6, machine='idle'),
    'real-busy': Workload('the same machines, which write and compress files and start processes', guests=6,
                          machine='busy'),
    'real-files': Workload('the same machines, which read the same 256 MiB of files in an order of their own', guests=6,
                           machine='files'),
}


@dataclasses.dataclass(frozen=True)
class Policy:
    about: str
    knobs: dict = dataclasses.field(default_factory=dict)      # written, then run=1, as the guests start
    script: str = ''                    # the original's variant
    config: dict = None                 # this project's daemon, and its settings
    ahead: float = 0                    # seconds that the program runs before the guests start
    guest: str = 'qemu-system-x86_64'   # the name of the guests' processes
    off: bool = False                   # run stays 0
    retune: bool = False                # SIGUSR1 has the program decide as the guests start


# All of memory as the threshold: always short, so the programs scan, and harder each interval.
ALWAYS_SHORT = dict(KSM_THRES_COEF='100')
# The programs that decide each 60 s run since half an interval when the guests come: what comes of chance on average.
HALF = 30
POLICIES = {
    'none': Policy('KSM off', off=True),
    'kernel': Policy('100 pages every 20 ms', dict(pages_to_scan=100, sleep_millisecs=20)),
    'no-sleep': Policy('20000 pages without pause', dict(pages_to_scan=20000, sleep_millisecs=0)),
    'original': Policy("Debian's ksmtuned", script='debian', config=ALWAYS_SHORT, ahead=HALF),
    # Its first decision, otherwise 60 s after its start, brings its most pages, KSM_NPAGES_MAX.
    'boosted': Policy("Debian's ksmtuned, fully boosted as the guests start", script='debian', ahead=2, retune=True,
                      config=dict(ALWAYS_SHORT, KSM_NPAGES_BOOST='1250')),
    'proxmox': Policy("Proxmox VE's settings", script='proxmox', ahead=HALF, guest='kvm',
                      config=dict(ALWAYS_SHORT, KSM_SLEEP_MSEC='100')),
    'advisor': Policy('kernel advisor, 200 s', dict(advisor_mode='scan-time', advisor_target_scan_time=200)),
    'advisor-20': Policy('kernel advisor, 20 s', dict(advisor_mode='scan-time', advisor_target_scan_time=20)),
    'classic': Policy('this daemon, KSM_POLICY=classic', config=ALWAYS_SHORT, ahead=HALF),
    'adaptive': Policy('this daemon, KSM_POLICY=adaptive', config=dict(KSM_POLICY='adaptive'), ahead=2),
}
SHORT = ('no-sleep', 'advisor-20', 'adaptive')
# What is compared where the question is not the saving, but what a neighbour feels.
BESIDE_CO_RUNNER = ('none', 'no-sleep', 'advisor-20', 'adaptive')

# Beside the guests: a task of these microseconds (Benchmarks/corunner.c) comes so often that it takes this share of
# each processor.
TASK = 400
CO_RUNNERS = {'light': 1 / 6, 'heavy': 9 / 10}


def mergeable(workload):
    """Bytes that can be saved at the end, by construction: of pages that are the same everywhere all but one; of zeros
    all but the one in each max_page_sharing that is kept."""
    stays = 1 - workload.rewrite[0] / 100 if workload.rewrite else 1
    given = workload.give[0] * MIB // PAGE if workload.give else 0
    others = [guest.mib * MIB // PAGE - given for guest in workload.each()]
    alike = (workload.same + (workload.become[0] if workload.become else 0)) / 100 * stays
    # The largest guest has all that any has.
    same = sum(given + pages * alike for pages in others) - (given + max(others) * alike)
    zero = sum(others) * stays * workload.zero / 100
    return (same + zero - (0 if ksm('use_zero_pages') else math.ceil(zero / ksm('max_page_sharing')))) * PAGE


def sized(workload, options):
    """The workload as the options want it. In a run that --seconds makes shorter or longer, what happens once or at
    random keeps its share of the time; what is repeated keeps its pace."""
    short = options.short and workload.short
    seconds = options.seconds or (workload.short if short else workload.seconds)
    pace = options.seconds / workload.seconds if options.seconds and not workload.window else 1
    scaled = lambda mib: max(8, round(mib * options.scale))
    return dataclasses.replace(
        workload, mib=scaled(workload.mib), seconds=seconds,
        differing=tuple(Guest(scaled(each.mib), each.starts * pace, each.fill * pace) for each in workload.differing),
        become=workload.become and (workload.become[0], workload.become[1] * pace),
        give=workload.give and (scaled(workload.give[0]), *(time * pace for time in workload.give[1:])),
        window=workload.window and (options.window or (workload.short_window if short else workload.window)),
        settle=3 if short else workload.settle)


def most_memory(options):
    """MiB of all guests together, in the largest workload."""
    return max(sum(guest.mib for guest in sized(WORKLOADS[name], options).each()) for name in options.workloads)
