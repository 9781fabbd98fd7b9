"""This host's KSM, memory and processes, as the kernel shows them."""
import contextlib, os, re
from .needs import Missing, need

KSM = '/sys/kernel/mm/ksm'
PAGE = os.sysconf('SC_PAGESIZE')
MIB = 1 << 20

# What the daemon writes with the policy `classic`.
PACE = ('advisor_mode', 'pages_to_scan', 'sleep_millisecs', 'run')
# All that anything here may change, in an order in which it can be put back.
KNOBS = ('advisor_target_scan_time', 'advisor_max_cpu', 'advisor_min_pages_to_scan', 'advisor_max_pages_to_scan',
         'pages_to_scan', 'sleep_millisecs', 'smart_scan', 'use_zero_pages', 'max_page_sharing', 'merge_across_nodes',
         'stable_node_chains_prune_millisecs', 'advisor_mode')


def read(path):
    with open(path, errors='replace') as f:
        return f.read()


def write(path, text):
    with open(path, 'w') as f:
        f.write(text)


# --- KSM -----------------------------------------------------------------------------------------------------------

def has(name):
    return os.path.exists(f'{KSM}/{name}')


def ksm(name):
    """What a file of the kernel's holds: a number, or the mode in brackets; None where the kernel has no such file."""
    try:
        text = read(f'{KSM}/{name}').strip()
    except FileNotFoundError:
        return None
    return re.search(r'\[(.*)\]', text)[1] if '[' in text else int(text)


def set_ksm(**values):
    for name, value in values.items():
        write(f'{KSM}/{name}', f'{value}\n')


def knobs(names=PACE):
    return {name: ksm(name) for name in names if has(name)}


def put_back(found, run=0):
    """Nothing merged, and the knobs at these values. KSM is left stopped, or as `run` says."""
    if ksm('advisor_mode') not in (None, 'none'):
        set_ksm(advisor_mode='none')            # while another runs, pages_to_scan cannot be written
    set_ksm(run=2)
    set_ksm(run=0)
    for name in KNOBS:
        if name in found and ksm(name) != found[name]:
            set_ksm(**{name: found[name]})
    set_ksm(run=run)


def as_after_boot():
    """Nothing merged, nothing scanned, and the pace that the kernel starts with."""
    put_back(dict(advisor_mode='none', pages_to_scan=100, sleep_millisecs=20))


def other_daemon():
    """The process of a ksmtuned that tunes this host, the original's script included; None where there is none."""
    mine = os.readlink('/proc/self/ns/pid')
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            if read(f'/proc/{pid}/comm') != 'ksmtuned\n':
                continue
            # One that works on a tree of plain files, or that writes nothing, does no harm.
            words = read(f'/proc/{pid}/cmdline').split('\0')
            if {'--root', '--dry-run'} & {word.partition('=')[0] for word in words}:
                continue
            # In another pid namespace it is a container's, or a test's in a world of its own. Whoever is not root cannot
            # tell, and takes it for this host's.
            with contextlib.suppress(PermissionError):
                if os.readlink(f'/proc/{pid}/ns/pid') != mine:
                    continue
            return int(pid)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return None


def need_idle_ksm():
    """KSM can be written, nobody uses it, and no other daemon tunes it."""
    need(os.path.isdir(KSM), 'this kernel has no KSM')
    try:
        os.close(os.open(f'{KSM}/run', os.O_WRONLY))
    except OSError as error:
        raise Missing(f'KSM is not writable here ({error.strerror})') from None
    if daemon := other_daemon():
        raise Missing(f'another ksmtuned runs here, process {daemon}')
    need(ksm('run') != 1 and not ksm('pages_sharing') and not ksm('pages_shared'),
         f'KSM is in use here (run {ksm("run")}, {ksm("pages_sharing")} pages sharing)')


@contextlib.contextmanager
def borrowed():
    """This host's KSM for a while. Behind it all is as it was found, and nothing is merged."""
    need_idle_ksm()
    found, run, scheduling = knobs(KNOBS), ksm('run'), scheduling_of_ksmd()
    try:
        yield found
    finally:
        put_back(found, run)
        schedule_ksmd(*scheduling)


@contextlib.contextmanager
def kept_aside(path):
    """A file of the host's own daemon is out of the way for a while."""
    aside = f'{path}.aside'
    if os.path.exists(path):
        os.rename(path, aside)
    try:
        yield
    finally:
        if os.path.exists(path):
            os.unlink(path)
        if os.path.exists(aside):
            os.rename(aside, path)


# --- Memory and processes ------------------------------------------------------------------------------------------

def meminfo(name):
    """In KiB."""
    return int(re.search(rf'(?m)^{name}:\s+(\d+) kB$', read('/proc/meminfo'))[1])


def free_memory():
    """What the original takes for free, in KiB."""
    return meminfo('MemFree') + meminfo('Buffers') + meminfo('Cached')


def need_memory(mib):
    available = meminfo('MemAvailable') >> 10
    need(available >= mib, f'{available} MiB of memory are available, and {mib} are needed')


def pid_of_ksmd():
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            if read(f'/proc/{pid}/comm') == 'ksmd\n' and not read(f'/proc/{pid}/cmdline'):
                return int(pid)
        except OSError:
            pass
    raise Missing('there is no ksmd')


def scheduling_of_ksmd():
    """The policy of ksmd, as os.SCHED_OTHER, and its nice value."""
    fields = read(f'/proc/{pid_of_ksmd()}/stat').rpartition(')')[2].split()
    return int(fields[38]), int(fields[16])


def schedule_ksmd(policy, nice):
    """As another program would."""
    pid = pid_of_ksmd()
    os.sched_setscheduler(pid, policy, os.sched_param(0))
    os.setpriority(os.PRIO_PROCESS, pid, nice)


def cpu_time(pid):
    """Nanoseconds on a processor."""
    return int(read(f'/proc/{pid}/schedstat').split()[0])


def children_cpu_time(pid):
    """The same of the children that it has waited for, in steps of a clock tick."""
    fields = read(f'/proc/{pid}/stat').rpartition(')')[2].split()
    return (int(fields[13]) + int(fields[14])) * 1_000_000_000 // os.sysconf('SC_CLK_TCK')
