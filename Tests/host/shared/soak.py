"""What must not grow in a long life: a look at a running daemon and its host, and how two looks differ."""
import os, pathlib, re
from .kernel import KSM, ksm, read

# Kilobytes that a look may differ: the allocator's arenas and the kernel's own rounding of resident sizes (per
# processor counts of up to 64 pages each).
SLACK = dict(resident=512, private=128)
# What a stopped or started ksmd is left at depends on the last pace; it is checked for its range elsewhere.
PACE = 'pages_to_scan', 'sleep_millisecs'
SETTINGS = ('run', 'merge_across_nodes', 'max_page_sharing', 'use_zero_pages', 'smart_scan', 'advisor_mode',
            'advisor_max_cpu', 'advisor_min_pages_to_scan', 'advisor_max_pages_to_scan', 'advisor_target_scan_time',
            'pages_shared', 'pages_sharing')


def memory(pid):
    """Resident and private dirty kilobytes."""
    text = read(f'/proc/{pid}/smaps_rollup')
    return {name: sum(int(each) for each in re.findall(rf'(?m)^{field}:\s+(\d+) kB', text))
            for name, field in (('resident', 'Rss'), ('private', 'Private_Dirty'))}


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
    """Each file below, and its size where that is to stay: not of what is written as text."""
    found = {}
    for folder in folders:
        for path in sorted(pathlib.Path(folder).rglob('*')):
            if path.is_file():
                found[str(path)] = path.stat().st_size if path.name == 'history' else 'there'
    return found


def ksm_state(folder=KSM):
    if folder == KSM:
        return {name: ksm(name) for name in SETTINGS if os.path.exists(f'{KSM}/{name}')}
    return {name: read(f'{folder}/{name}').strip() for name in SETTINGS if os.path.exists(f'{folder}/{name}')}


def look(pid, folders, folder=KSM):
    return dict(memory=memory(pid), descriptors=descriptors(pid), files=files(folders), ksm=ksm_state(folder),
                threads=len(os.listdir(f'/proc/{pid}/task')),
                children=len(read(f'/proc/{pid}/task/{pid}/children').split()))


def grown(first, last):
    """What is not as it was, as lines."""
    lines = [f'{name} {first["memory"][name]} KiB, then {last["memory"][name]}' for name, slack in SLACK.items()
             if last['memory'][name] > first['memory'][name] + slack]
    lines += [f'{what} {first[what]}, then {last[what]}' for what in ('descriptors', 'files', 'ksm', 'threads', 'children')
              if first[what] != last[what]]
    return lines


def row(what, look):
    """A line of the table."""
    state = look['ksm']
    return (f'{what:34} {look["memory"]["resident"]:8} {look["memory"]["private"]:8} {len(look["descriptors"]):4} '
            f'{len(look["files"]):5} {state["run"]:>3} {state["pages_sharing"]:>8} {state.get("advisor_mode", "-"):>16}')


HEAD = (f'{"":34} {"resident":>8} {"private":>8} {"fds":>4} {"files":>5} {"run":>3} {"sharing":>8} {"advisor":>16}')
