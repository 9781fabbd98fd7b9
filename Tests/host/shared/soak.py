"""What must not grow in a long life: a look at a running daemon and its host, and how two looks differ."""
import collections, os, pathlib, re
from .kernel import KSM, ksm, read

# Kilobytes that a later look may hold more: of resident memory the parts of the program that run for the first time,
# of its own memory what the allocator keeps of a larger table of processes.
SLACK = dict(resident=1536, anonymous=192)
# All but the pace, which depends on the last decision, and the counters: of a process that has ended the kernel counts
# pages until ksmd comes by.
SETTINGS = ('run', 'merge_across_nodes', 'max_page_sharing', 'use_zero_pages', 'smart_scan', 'advisor_mode',
            'advisor_max_cpu', 'advisor_min_pages_to_scan', 'advisor_max_pages_to_scan', 'advisor_target_scan_time')


def memory(pid):
    """Kilobytes: resident, and of these its own. (Private_Dirty counts the program's file, too, while that is not yet
    on the disk.)"""
    text = read(f'/proc/{pid}/smaps_rollup')
    return {name: sum(int(each) for each in re.findall(rf'(?m)^{field}:\s+(\d+) kB', text))
            for name, field in (('resident', 'Rss'), ('anonymous', 'Anonymous'))}


def descriptors(pid):
    """What each open descriptor is; the numbers of sockets and the pids in paths differ from life to life."""
    links = []
    for name in os.listdir(f'/proc/{pid}/fd'):
        try:
            links.append(re.sub(r'\[\d+\]', '[]', os.readlink(f'/proc/{pid}/fd/{name}')))
        except FileNotFoundError:
            pass
    return sorted(re.sub(r'/proc/\d+/', '/proc/PID/', link) for link in links)


def files(folders):
    """Each file below."""
    return sorted(str(path) for folder in folders for path in pathlib.Path(folder).rglob('*') if path.is_file())


def ksm_state(folder=KSM):
    if folder == KSM:
        return {name: ksm(name) for name in SETTINGS if os.path.exists(f'{KSM}/{name}')}
    return {name: read(f'{folder}/{name}').strip() for name in SETTINGS if os.path.exists(f'{folder}/{name}')}


def look(pid, folders, folder=KSM):
    return dict(memory=memory(pid), descriptors=descriptors(pid), files=files(folders), ksm=ksm_state(folder),
                threads=len(os.listdir(f'/proc/{pid}/task')),
                children=len(read(f'/proc/{pid}/task/{pid}/children').split()))


# Files of the kernel that the daemon opens when it first needs them, and keeps open: each once.
HELD = '/sys/kernel/mm/ksm/', '/proc/meminfo', '/proc/vmstat', '/proc/pressure/'


def grown(first, last, more=0):
    """What is not as it was, as lines. Memory may have grown by the slack, and by so many kilobytes more."""
    lines = [f'{name} {first["memory"][name]} KiB, then {last["memory"][name]}' for name, slack in SLACK.items()
             if last['memory'][name] > first['memory'][name] + slack + more]
    for what in ('descriptors', 'files'):
        before, after = collections.Counter(first[what]), collections.Counter(last[what])
        lines += [f'{what}: {count} more of {name}' for name, count in (after - before).items()
                  if not (name.startswith(HELD) and after[name] == 1)]
        lines += [f'{what}: {count} less of {name}' for name, count in (before - after).items()]
    lines += [f'{what} {first[what]}, then {last[what]}' for what in ('ksm', 'threads', 'children')
              if first[what] != last[what]]
    return lines


def row(what, look):
    """A line of the table."""
    state = look['ksm']
    return (f'{what:34} {look["memory"]["resident"]:8} {look["memory"]["anonymous"]:9} {len(look["descriptors"]):4} '
            f'{len(look["files"]):5} {state["run"]:>3} {state.get("advisor_mode", "-"):>16}')


HEAD = (f'{"":34} {"resident":>8} {"anonymous":>9} {"fds":>4} {"files":>5} {"run":>3} {"advisor":>16}')
