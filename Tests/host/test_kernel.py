"""The real daemon on the real kernel: what it reads, what it writes, and what ksmd makes of it.

Guests are processes of guest.c under the names that guests have. The daemon runs with a configuration and a pid file of
its own in a temporary folder; only /sys/kernel/mm/ksm and /run/ksmtuned are the host's, and both are put back.

They need root, a C compiler, about 1 GiB of memory, and a host on which neither KSM nor another ksmtuned is in use.
"""
import contextlib, mmap, os, re, signal, socket, subprocess, time
import pytest
from shared.kernel import (KSM, MIB, PAGE, as_after_boot, free_memory, has, knobs, ksm, meminfo, need_memory, pid_of_ksmd,
                           read, schedule_ksmd, scheduling_of_ksmd, set_ksm, write)
from shared.needs import Missing, compiler, need
from shared.processes import LIBC, LIMIT, wait_for
from shared.tested import QUIET, STATE, TestStage, expected_sleep, need_namespaces, state

# Configurations that decide the same on every host.
ALWAYS_SHORT = 'KSM_THRES_COEF=100\n'                     # free memory is below the host's total
AT_EASE = 'KSM_THRES_COEF=0\nKSM_THRES_CONST=0\n'         # free memory is above nothing
STEPS = 'KSM_NPAGES_BOOST=2000\nKSM_NPAGES_MAX=5000\n'    # 2000, 4000, 5000, 5000


@pytest.fixture
def stage(own_ksm, programs):
    compiler()
    need_memory(1024)
    as_after_boot()
    with TestStage.new(programs) as stage:
        stage.undo += [as_after_boot, lambda: os.path.exists(STATE) and os.unlink(STATE)]
        yield stage


def need_mounts():
    """A mount namespace with the real KSM in it can be made."""
    need_namespaces('--mount', command=['mount', '--bind', KSM, KSM])


def need_advisor():
    need(has('advisor_mode'), 'this kernel has no advisor')


def pages_of(mib):
    """Nearly all pages of that much memory."""
    return mib * (1 << 20) // PAGE * 95 // 100


def merged(stage, mib=100):
    """Two guests, of whose equal pages nearly all are merged."""
    guests = [stage.guest(mib), stage.guest(mib)]
    wanted = pages_of(2 * mib)
    wait_for(f'{wanted} pages sharing', lambda: ksm('pages_sharing') > wanted)
    return guests


def end_ways():
    return ('keep', 'stop', 'restore', 'unmerge')


# --- At start, by signals, by time ---------------------------------------------------------------------------------

def test_at_start_it_decides_and_ksmd_merges(stage):
    guests = [stage.guest(100), stage.guest(100)]
    d = stage.daemon(QUIET, ALWAYS_SHORT, STEPS)
    assert (ksm('run'), ksm('pages_to_scan'), ksm('sleep_millisecs')) == (1, 2000, expected_sleep()), \
        'run, pages, sleep'
    wait_for('two hundred MiB merged', lambda: ksm('pages_sharing') * PAGE > 190 << 20)
    d.decide()
    s = state()
    assert (s['ACTION'], s['REASON'], s['GUESTS'], s['PID']) == ('scan', 'shortage', '2', str(d.pid)), 'state'
    assert int(s['SAVED_KIB']) > 190 * 1024, f'SAVED_KIB={s["SAVED_KIB"]} of 200 MiB'
    assert 200 << 10 < int(s['COMMITTED_KIB']) < 220 << 10, f'COMMITTED_KIB={s["COMMITTED_KIB"]} of 200 MiB'
    for guest in guests:
        stage.end(guest)
    d.end()


def test_it_is_one_process_of_one_thread_called_ksmtuned(stage):
    d = stage.daemon(QUIET, ALWAYS_SHORT)
    assert read(f'/proc/{d.pid}/comm') == 'ksmtuned\n', 'comm'
    assert len(os.listdir(f'/proc/{d.pid}/task')) == 1, 'threads'
    assert read(f'/proc/{d.pid}/task/{d.pid}/children') == '', 'children'
    assert read(d.pid_file).strip() == str(d.pid), 'pid file'
    d.end()


def test_each_USR1_decides_once(stage):
    d = stage.daemon(QUIET, ALWAYS_SHORT, STEPS)
    seen = [ksm('pages_to_scan')]
    for _ in range(3):
        d.decide()
        seen.append(ksm('pages_to_scan'))
    assert seen == [2000, 4000, 5000, 5000], 'pages_to_scan'
    d.end()


def test_a_storm_of_USR1_leaves_it_well(stage):
    d = stage.daemon(QUIET, ALWAYS_SHORT, STEPS)
    for _ in range(2000):
        d.signal('USR1')
    for _ in range(4):              # the storm may have been one decision, and the first answer may be the storm's
        d.decide()
    assert ksm('pages_to_scan') == 5000, 'pages_to_scan'
    d.end()


def test_each_interval_decides(stage):
    begun = time.monotonic()
    d = stage.daemon('KSM_MONITOR_INTERVAL=1\n', ALWAYS_SHORT, 'KSM_NPAGES_BOOST=100\n')
    wait_for('the fourth decision', lambda: ksm('pages_to_scan') >= 400)
    took = time.monotonic() - begun
    assert took >= 2.9, f'three intervals of 1 s took {took:.2f} s'
    d.end()


def test_the_first_decision_can_wait_for_the_interval(stage):
    begun = time.monotonic()
    d = stage.daemon('KSM_MONITOR_INTERVAL=2\nKSM_FIRST_DECISION=interval\n', ALWAYS_SHORT)
    assert ksm('run') == 0, 'run'
    wait_for('run=1', lambda: ksm('run') == 1)
    took = time.monotonic() - begun
    assert took >= 1.95, f'the first interval of 2 s took {took:.2f} s'
    d.end()


def test_USR1_begins_a_new_whole_interval(stage):
    d = stage.daemon('KSM_MONITOR_INTERVAL=3\n', ALWAYS_SHORT, 'KSM_NPAGES_BOOST=100\n')
    begun = time.monotonic()
    wait_for('half of the interval', lambda: time.monotonic() - begun > 1.5)
    if ksm('pages_to_scan') != 100:
        raise Missing('the machine is too busy for the time to mean anything')
    d.decide()
    begun = time.monotonic()
    wait_for('the next decision', lambda: ksm('pages_to_scan') == 300)
    took = time.monotonic() - begun
    assert took >= 2.9, f'the interval of 3 s after USR1 took {took:.2f} s'
    d.end()


def test_guests_that_come_start_it_and_guests_that_vanish_stop_it(stage):
    # Copies of one guest are committed memory that nobody has: the threshold can lie far from what is free.
    total, threshold = meminfo('MemTotal'), free_memory() // 2
    copies = (total - threshold) // (256 << 10) + 4
    d = stage.daemon(QUIET, f'KSM_THRES_COEF=0\nKSM_THRES_CONST={threshold}\nKSM_NPAGES_MIN=70\n')
    assert (ksm('run'), state()['ACTION']) == (0, 'stop'), 'without guests'
    guest = stage.guest(256, '--copies', str(copies))
    d.decide()
    assert (ksm('run'), ksm('pages_to_scan')) == (1, 70), 'run and pages with guests'
    assert (state()['REASON'], state()['GUESTS']) == ('easing', str(copies + 1)), 'reason and guests'
    stage.end(guest)
    d.decide()
    assert (ksm('run'), ksm('pages_to_scan')) == (0, 70), 'run and pages without guests'
    assert (state()['GUESTS'], state()['COMMITTED_KIB']) == ('0', '0'), 'guests and committed memory'
    d.end()


# --- Which processes are guests, and what they hold ----------------------------------------------------------------

GUESTS = ('qemu-system-x86_64', 'qemu-system-aarch64', 'qemu-kvm', 'kvm', 'qemu:web01', 'qemu:a name', 'cloud-hypervisor',
          'firecracker', 'crosvm', '.qemu-system-x86_64-wrapped')
OTHERS = ('qemu-img', 'qemu-nbd', 'kvmtool', 'xqemu-kvm', 'qemu:', 'firecrackerd',
          'qemu-kvm\nx', 'a) R qemu-kvm')


def test_every_kind_of_guest_is_counted_and_no_other_process(stage):
    d = stage.daemon(QUIET, AT_EASE)
    base = int(state()['GUESTS'])
    for name in GUESTS:
        stage.guest(1, name=name)
    d.decide()
    assert int(state()['GUESTS']) - base == len(GUESTS), 'guests'
    stage.guest(1, name='vmm', argv='qemu-system-x86_64')                   # Debian's: by the command line
    d.decide()
    assert int(state()['GUESTS']) - base == len(GUESTS) + 1, 'guests with one by its command line'
    for name in OTHERS:
        stage.guest(1, name=name)
    d.decide()
    assert int(state()['GUESTS']) - base == len(GUESTS) + 1, 'guests among other processes'
    d.end()


def test_profiles_and_a_pattern_choose_the_guests(stage):
    for name in ('qemu-system-x86_64', 'kvm', 'qemu-kvm', 'mine'):
        stage.guest(1, name=name)
    stage.guest(1, name='vmm', argv='qemu-system-x86_64')
    for setting, wanted in (('KSM_PROFILE=upstream', 2), ('KSM_PROFILE=debian', 1), ('KSM_PROFILE=proxmox', 1),
                            ("KSM_GUEST_PATTERN='^(mine|kvm)$'", 2), ('', 4)):
        d = stage.daemon(QUIET, AT_EASE, setting)
        assert int(state()['GUESTS']) == wanted, f'guests with {setting or "nothing set"}'
        d.end()


def test_a_process_that_becomes_a_guest_later_is_counted(stage):
    d = stage.daemon(QUIET, AT_EASE)
    gate = f'{stage.folder}/gate'
    os.mkfifo(gate)
    shell = stage.start(['sh', '-c', f'read x < {gate}; exec {stage.programs.guest("qemu-kvm")} 1'], stdout=subprocess.DEVNULL)
    wait_for('the shell', lambda: read(f'/proc/{shell.pid}/comm') == 'sh\n')
    d.decide()
    assert state()['GUESTS'] == '0', 'guests before'
    write(gate, 'go\n')
    wait_for('the guest', lambda: read(f'/proc/{shell.pid}/comm') == 'qemu-kvm\n')
    d.decide()
    assert state()['GUESTS'] == '1', 'guests after'
    d.end()


def test_metrics_see_what_was_merged(stage):
    d = stage.daemon(QUIET, ALWAYS_SHORT, 'KSM_NPAGES_BOOST=20000\nKSM_NPAGES_MAX=20000\n')
    merged(stage)
    found = {}
    for metric in ('rsz', 'pss', 'unmerged'):
        text = read(d.configuration)
        write(d.configuration, re.sub('KSM_PS_METRIC=.*\n', '', text) + f'KSM_PS_METRIC={metric}\n')
        d.reload()
        found[metric] = int(state()['COMMITTED_KIB'])
    assert found['rsz'] > 200 << 10, f'{found}: resident size is all of 200 MiB'
    assert found['pss'] < 60 << 10, f'{found}: the proportional share of merged pages is small'
    if os.path.exists('/proc/self/ksm_merging_pages'):
        assert found['unmerged'] < 60 << 10, f'{found}: hardly anything is unmerged'
    assert 'instead' not in d.said(), 'a metric fell back to rsz'
    d.end()


def test_processes_that_come_and_go_during_ticks_do_no_harm(stage):
    d = stage.daemon(QUIET, AT_EASE)
    d.decide()
    said, descriptors = d.said(), len(os.listdir(f'/proc/{d.pid}/fd'))
    for _ in range(200):
        # Without an argument the stand-in says how it is used, and ends.
        stage.start([stage.programs.guest('qemu-system-x86_64')], stderr=subprocess.DEVNULL)
        d.signal('USR1')
        if len(stage.started) > 20:
            stage.started.pop(1).wait()
    for process in stage.started[1:]:
        process.wait()
    d.decide()
    d.decide()
    assert state()['GUESTS'] == '0', 'guests'
    assert len(os.listdir(f'/proc/{d.pid}/fd')) == descriptors, 'open descriptors'
    assert d.said() == said, 'messages'
    d.end()


def test_a_guest_that_nobody_waits_for_counts_nothing(stage):
    guest = stage.guest(50)
    d = stage.daemon(QUIET, AT_EASE)
    for metric in ('rsz', 'pss', 'unmerged'):
        write(d.configuration, re.sub('KSM_PS_METRIC=.*\n', '', read(d.configuration)) + f'KSM_PS_METRIC={metric}\n')
        d.reload()
        if metric == 'rsz':
            assert state()['GUESTS'] == '1', 'guests'
            os.kill(guest.pid, signal.SIGKILL)
            wait_for('a zombie', lambda: '\nState:\tZ' in read(f'/proc/{guest.pid}/status'))
        d.decide()
        assert (state()['GUESTS'], state()['COMMITTED_KIB']) == ('0', '0'), f'guests and committed memory by {metric}'
        assert 'instead' not in d.said(), f'a message about a process that ended ({metric})'
    d.end()


# --- The end -------------------------------------------------------------------------------------------------------

def ended(stage, way, name='TERM', found=None):
    """The knobs before a daemon and after its end, with something merged in between."""
    set_ksm(**(found or {}))
    before = knobs()
    d = stage.daemon(QUIET, ALWAYS_SHORT, STEPS, f'KSM_ON_EXIT={way}\n')
    merged(stage)
    d.decide()
    d.end(name)
    return before, knobs(), ksm('pages_sharing')


def test_KSM_ON_EXIT_keep_leaves_all_as_decided(stage):
    _, after, sharing = ended(stage, 'keep')
    assert (after['run'], after['pages_to_scan'], after['sleep_millisecs']) == (1, 4000, expected_sleep()), 'knobs'
    assert sharing, 'nothing is merged any more'


def test_KSM_ON_EXIT_stop_stops_and_leaves_pages_merged(stage):
    _, after, sharing = ended(stage, 'stop')
    assert (after['run'], after['pages_to_scan']) == (0, 4000), 'run and pages'
    assert sharing, 'nothing is merged any more'


def test_KSM_ON_EXIT_restore_puts_back_a_stopped_ksmd(stage):
    before, after, sharing = ended(stage, 'restore', found=dict(pages_to_scan=321, sleep_millisecs=33))
    assert after == before, 'knobs'
    assert sharing, 'nothing is merged any more'


def test_KSM_ON_EXIT_restore_puts_back_a_running_ksmd(stage):
    before, after, _ = ended(stage, 'restore', found=dict(pages_to_scan=321, sleep_millisecs=33, run=1))
    assert after == before, 'knobs'


def test_KSM_ON_EXIT_unmerge_gives_pages_back(stage):
    _, after, sharing = ended(stage, 'unmerge')
    assert (after['run'], sharing) == (2, 0), 'run and pages sharing'


def test_INT_ends_as_TERM_does(stage):
    _, after, _ = ended(stage, 'stop', 'INT')
    assert after['run'] == 0, 'run'


def test_after_SIGKILL_the_values_found_first_are_restored(stage):
    set_ksm(pages_to_scan=321, sleep_millisecs=33)
    before = knobs()
    d = stage.daemon(QUIET, ALWAYS_SHORT, STEPS, 'KSM_ON_EXIT=restore\n')
    d.process.kill()
    d.wait()
    assert ksm('run') == 1, 'run after SIGKILL'
    assert os.path.exists(STATE), 'no state is left behind SIGKILL'
    d = stage.daemon(configuration=d.configuration)
    assert state()['PID'] == str(d.pid), "PID of the second daemon's state"
    d.end()
    assert knobs() == before, 'knobs'


def test_after_SIGKILL_an_advisor_is_put_back(stage):
    need_advisor()
    set_ksm(advisor_mode='scan-time')
    d = stage.daemon(QUIET, ALWAYS_SHORT, STEPS)
    d.process.kill()
    d.wait()
    assert ksm('advisor_mode') == 'none', 'advisor after SIGKILL'
    d = stage.daemon(configuration=d.configuration)
    assert (ksm('advisor_mode'), ksm('pages_to_scan')) == ('none', 2000), 'advisor and pages of the second daemon'
    d.end()
    assert ksm('advisor_mode') == 'scan-time', 'advisor'


def test_a_write_that_waits_for_ksmd_does_not_hold_it_up(stage):
    # A batch of millions of pages takes ksmd long, and a write to run waits for the batch.
    stage.guest(300, '--unique', '90')
    d = stage.daemon(QUIET, ALWAYS_SHORT, 'KSM_NPAGES_BOOST=4000000\nKSM_NPAGES_MAX=4000000\nKSM_ON_EXIT=stop\n')
    wait_for('run=1', lambda: ksm('run') == 1)            # a child writes it
    assert ksm('pages_to_scan') == 4_000_000, 'pages'
    wait_for('ksmd', lambda: ksm('full_scans') > 0)
    for _ in range(5):
        d.signal('USR1')
    write(d.configuration, read(d.configuration) + AT_EASE)
    d.signal('HUP')

    def stopped():
        d.signal('USR1')            # a decision that meets an unfinished write is left out
        return ksm('run') == 0
    wait_for('run=0', stopped)
    d.end()
    assert ksm('run') == 0, 'run at the end'


def test_who_waits_for_ksmd_is_on_its_processor(stage):
    """Elsewhere the kernel has it spin, for as long as ksmd runs."""
    need(os.cpu_count() > 1, 'one processor, and no other to spin on')
    stage.guest(700, '--unique', '90')
    d = stage.daemon(QUIET, ALWAYS_SHORT, 'KSM_NPAGES_BOOST=4000000\nKSM_NPAGES_MAX=4000000\nKSM_ON_EXIT=stop\n')
    allowed = lambda pid: re.search(r'(?m)^Cpus_allowed_list:\s+(\S+)', read(f'/proc/{pid}/status'))[1]
    everywhere, ksmd = allowed(d.pid), f'/proc/{pid_of_ksmd()}/stat'
    if has('smart_scan'):
        set_ksm(smart_scan=0)
    wait_for('two passes', lambda: ksm('full_scans') > 2)
    write(d.configuration, read(d.configuration) + AT_EASE)

    def waiting():
        """The processors of the child that waits; another one may read."""
        for child in read(f'/proc/{d.pid}/task/{d.pid}/children').split():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if read(f'/proc/{child}/comm') == 'ksmtuned-write\n':
                    return allowed(child)
        return None

    passes = ksm('full_scans')
    wait_for('the end of a pass', lambda: ksm('full_scans') > passes, pause=.001)
    wait_for('the next batch', lambda: read(ksmd).rpartition(')')[2].split()[0] == 'R', pause=.001)
    d.signal('HUP')
    seen = wait_for('a child that waits, or the end of the batch', lambda: waiting() or ksm('run') == 0, pause=.001)
    wait_for('run=0', lambda: ksm('run') == 0)
    need(seen is not True, 'ksmd ended its batch before anybody looked')
    assert seen.isdecimal(), f'the child may run on {seen}'
    assert allowed(d.pid) == everywhere, 'the processors of the daemon afterwards'
    d.end()


# --- The kernel's advisor ------------------------------------------------------------------------------------------

def test_the_advisor_is_displaced_and_put_back_however_it_ends(stage):
    need_advisor()
    for way in end_ways():
        as_after_boot()
        set_ksm(advisor_mode='scan-time')
        d = stage.daemon(QUIET, ALWAYS_SHORT, STEPS, f'KSM_ON_EXIT={way}\n')
        assert (ksm('advisor_mode'), ksm('pages_to_scan'), ksm('run')) == ('none', 2000, 1), \
            f'advisor, pages, run ({way})'
        d.decide()
        assert sum('advisor' in line for line in d.said().splitlines()) == 1, f'messages about the advisor ({way})'
        d.end()
        assert ksm('advisor_mode') == 'scan-time', f'advisor after KSM_ON_EXIT={way}'


def test_the_advisor_is_left_alone_while_nothing_is_scanned(stage):
    need_advisor()
    set_ksm(advisor_mode='scan-time')
    d = stage.daemon(QUIET, AT_EASE)
    assert (ksm('advisor_mode'), ksm('run')) == ('scan-time', 0), 'advisor and run'
    d.end()
    assert ksm('advisor_mode') == 'scan-time', 'advisor at the end'


def test_an_advisor_switched_on_meanwhile_is_displaced(stage):
    need_advisor()
    d = stage.daemon(QUIET, ALWAYS_SHORT, STEPS, 'KSM_ON_EXIT=restore\n')
    set_ksm(advisor_mode='scan-time')
    d.decide()
    assert (ksm('advisor_mode'), ksm('pages_to_scan'), ksm('run')) == ('none', 4000, 1), 'advisor, pages, run'
    assert sum('advisor' in line for line in d.said().splitlines()) == 1, 'messages about the advisor'
    d.end()
    assert ksm('advisor_mode') == 'none', 'advisor, found as none'


# --- The other policies --------------------------------------------------------------------------------------------

ADAPTIVE = 'KSM_POLICY=adaptive\nKSM_PRESSURE=off\nDEBUG=1\n'


def test_the_adaptive_policy_merges_at_once_and_comes_to_rest(stage):
    d = stage.daemon(QUIET, ADAPTIVE)
    assert (ksm('run'), state()['REASON']) == (0, 'nothing-to-gain'), 'run and reason without guests'
    merged(stage)
    wait_for('rest', lambda: ksm('run') == 0)
    passes = ksm('full_scans')
    stage.guest(100)
    wanted = pages_of(3 * 100)
    wait_for('a third guest merged', lambda: ksm('pages_sharing') > wanted)
    wait_for('rest', lambda: ksm('run') == 0)
    assert ksm('full_scans') > passes, 'no pass for the third guest'
    assert 'pass ended' in d.said(), 'it does not tell of its passes'
    d.end()


def test_what_merges_again_shows_in_AnonPages_and_in_no_counter_of_KSM(stage):
    """A fact of the kernel that the adaptive policy goes by: the counters are as before at both ends. Half of the memory
    is far above what others do meanwhile."""
    mib = 256

    def fill():
        for start in range(0, mib * MIB, MIB):
            memory[start:start + MIB] = b'k' * MIB

    with mmap.mmap(-1, mib * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        memory.madvise(mmap.MADV_MERGEABLE)
        fill()
        set_ksm(pages_to_scan=20000, sleep_millisecs=2, run=1)
        wait_for('all of it merged', lambda: ksm('pages_sharing') > pages_of(mib))
        set_ksm(run=0)
        merged, counted = meminfo('AnonPages'), ksm('pages_sharing')
        memory.madvise(mmap.MADV_DONTNEED)
        fill()
        assert ksm('pages_sharing') == counted, 'pages_sharing after the memory was given back and taken again'
        half = mib * 1024 / 2
        assert meminfo('AnonPages') - merged > half, f'AnonPages was {merged} KiB, and is {meminfo("AnonPages")}'
        set_ksm(run=1)
        wait_for('AnonPages as before', lambda: meminfo('AnonPages') - merged < half)
        # What ksmd comes to leaves the counter and is merged again, all of it in one pass or two.
        wait_for('pages_sharing as before', lambda: ksm('pages_sharing') > pages_of(mib))


def test_the_adaptive_policy_overwrites_another_hand_and_scans_on_request(stage):
    d = stage.daemon(QUIET, ADAPTIVE)
    wait_for('rest', lambda: state()['REASON'] == 'nothing-to-gain' and ksm('run') == 0)
    set_ksm(run=1)
    wait_for('run=0', lambda: ksm('run') == 0)
    assert sum('changed run' in line for line in d.said().splitlines()) == 1, 'messages about run'
    passes = ksm('full_scans')
    stage.guest(8)
    d.signal('USR1')
    wait_for('two passes', lambda: ksm('full_scans') >= passes + 2)
    wait_for('rest', lambda: ksm('run') == 0)
    d.end()


def test_the_adaptive_policy_leaves_no_ksmd_behind(stage):
    for way, run in (('keep', 0), ('stop', 0), ('restore', 0)):
        d = stage.daemon(QUIET, ADAPTIVE, f'KSM_CPU_MAX=1\nKSM_ON_EXIT={way}\n')
        guest = stage.guest(600, '--unique', '50')
        wait_for('a burst', lambda: ksm('run') == 1)
        d.end()
        assert ksm('run') == run, f'run after KSM_ON_EXIT={way}'
        guest.kill()
        as_after_boot()


def test_a_killed_adaptive_daemon_is_taken_over(stage):
    first = stage.daemon(QUIET, ADAPTIVE)
    merged(stage)
    wait_for('rest', lambda: ksm('run') == 0)
    first.signal('KILL')
    first.process.wait()
    passes = ksm('full_scans')
    second = stage.daemon(QUIET, ADAPTIVE)
    wait_for('rest', lambda: state()['REASON'] == 'nothing-to-gain')
    assert ksm('full_scans') == passes + 2, 'the passes that show that all is merged already'
    second.end()


def test_guests_are_merged_that_came_while_no_adaptive_daemon_ran(stage):
    first = stage.daemon(QUIET, ADAPTIVE)
    guests = merged(stage)
    wait_for('rest', lambda: ksm('run') == 0)
    first.end()
    for guest in guests:
        guest.kill()
        guest.wait()
    newcomers = [stage.guest(100), stage.guest(100)]
    assert ksm('pages_sharing') > pages_of(200), 'guests that have ended count until ksmd comes by: that is not so here'
    second = stage.daemon(QUIET, ADAPTIVE)
    for guest in newcomers:
        path = f'/proc/{guest.pid}/ksm_merging_pages'
        need(os.path.exists(path), f'{path} came with Linux 5.19')
        wait_for('a newcomer merged', lambda: int(read(path)) > pages_of(100))
    wait_for('rest', lambda: ksm('run') == 0)
    second.end()


# --- How ksmd is scheduled -----------------------------------------------------------------------------------------

# ksmd takes a hundredth of a CPU for hundreds of MiB, so that a scan lasts as long as a test looks.
SLOW = 'KSM_CPU_MAX=1\nKSM_CPU_PROBE=1\n'
IDLE = os.SCHED_IDLE, 5


@contextlib.contextmanager
def ksmd_had(policy=os.SCHED_OTHER, nice=5):
    """ksmd is scheduled so for a while, as the host's operator may have done it."""
    found = scheduling_of_ksmd()
    schedule_ksmd(policy, nice)
    try:
        yield policy, nice
    finally:
        schedule_ksmd(*found)


def scheduled(wanted):
    wait_for(f'ksmd scheduled as {wanted}', lambda: scheduling_of_ksmd() == wanted)


def slow_scan(stage, *texts, **settings):
    """An adaptive daemon in the middle of a scan."""
    stage.guest(600, '--unique', '50')
    d = stage.daemon(QUIET, ADAPTIVE, SLOW, *texts, **settings)
    wait_for('a burst', lambda: ksm('run') == 1)
    return d


def test_ksmd_is_SCHED_IDLE_in_a_scan_of_the_adaptive_policy_and_not_at_rest(stage):
    with ksmd_had() as before:
        d = stage.daemon(QUIET, ADAPTIVE)
        wait_for('rest', lambda: state()['REASON'] == 'nothing-to-gain' and ksm('run') == 0)
        assert scheduling_of_ksmd() == before, 'at rest'
        stage.guest(300, '--unique', '90')
        scheduled(IDLE)
        assert ksm('run') == 1, 'run'
        wait_for('rest', lambda: ksm('run') == 0)
        scheduled(before)
        d.end()
        # It is a matter of course, but for a host whose CPUs are all taken.
        said = [line for line in d.said().splitlines() if 'SCHED' in line and 'ksmd was without a CPU' not in line]
        assert not said, said


@pytest.mark.parametrize('way', end_ways())
def test_ksmd_has_its_own_scheduling_back_at_the_end(stage, way):
    with ksmd_had(nice=7) as before:
        d = slow_scan(stage, f'KSM_ON_EXIT={way}\n')
        scheduled((os.SCHED_IDLE, 7))
        s = wait_for('the state', lambda: 'FOUND_KSMD_POLICY' in state() and state())
        assert (s['FOUND_KSMD_POLICY'], s['FOUND_KSMD_NICE'], s['KSMD_POLICY']) == ('other', '7', 'idle'), 'state'
        d.end()
        assert scheduling_of_ksmd() == before, way


def test_after_SIGKILL_in_a_scan_the_next_daemon_puts_ksmd_back(stage):
    with ksmd_had(policy=os.SCHED_BATCH, nice=3) as before:
        d = slow_scan(stage)
        scheduled((os.SCHED_IDLE, 3))
        d.signal('KILL')
        d.wait()
        assert scheduling_of_ksmd() == (os.SCHED_IDLE, 3), 'after SIGKILL'
        set_ksm(run=0)
        # The next one finds nothing to scan, and is told to leave ksmd alone.
        d = stage.daemon(QUIET, AT_EASE, 'KSM_KSMD_SCHEDULING=keep\n')
        assert scheduling_of_ksmd() == before, 'after the start'
        assert 'FOUND_KSMD_POLICY' not in state(), 'state'
        d.end()


def test_a_nice_value_is_given_and_a_reload_gives_another(stage):
    with ksmd_had() as before:
        d = slow_scan(stage, 'KSM_KSMD_SCHEDULING="nice 12"\n')
        scheduled((os.SCHED_OTHER, 12))
        for text, wanted in ('idle', IDLE), ('"nice -3"', (os.SCHED_OTHER, -3)), ('keep', before):
            write(d.configuration, read(d.configuration) + f'KSM_KSMD_SCHEDULING={text}\n')
            d.reload()
            scheduled(wanted)
        d.end()
        assert scheduling_of_ksmd() == before


def test_keep_and_the_classic_policy_leave_ksmd_alone(stage):
    with ksmd_had() as before:
        for settings in (QUIET + ALWAYS_SHORT,), (QUIET, ADAPTIVE, SLOW, 'KSM_KSMD_SCHEDULING=keep\n'):
            guest = stage.guest(300, '--unique', '50')
            d = stage.daemon(*settings)
            wait_for('a scan', lambda: ksm('run') == 1)
            d.signal('USR1')
            wait_for('the state', lambda: state().get('ACTION') == 'scan')
            assert scheduling_of_ksmd() == before, settings
            d.end()
            guest.kill()
            as_after_boot()


def test_what_somebody_else_gives_ksmd_is_told_once_and_left(stage):
    with ksmd_had():
        d = slow_scan(stage)
        scheduled(IDLE)
        schedule_ksmd(os.SCHED_OTHER, 9)
        wait_for('the message', lambda: "something else changed ksmd's scheduling" in d.said())
        for _ in range(3):
            d.decide()
        assert (ksm('run'), scheduling_of_ksmd()) == (1, (os.SCHED_OTHER, 9)), 'it is left'
        assert d.said().count("something else changed ksmd's") == 1, d.said()
        d.end()
        assert scheduling_of_ksmd() == (os.SCHED_OTHER, 9), 'at the end, too'


def test_without_the_capability_it_says_so_once_and_goes_on(stage):
    # 24 is PR_CAPBSET_DROP, and CAP_SYS_NICE is number 23.
    with ksmd_had() as before:
        d = slow_scan(stage, before=lambda: LIBC.prctl(24, 23, 0, 0, 0))
        wait_for('the message', lambda: 'CAP_SYS_NICE' in d.said())
        for _ in range(3):
            d.signal('USR1')
        wait_for('a merge', lambda: ksm('pages_scanned') > 0)
        assert d.said().count('CAP_SYS_NICE') == 1, d.said()
        assert scheduling_of_ksmd() == before
        d.end()


def test_a_dry_run_and_a_single_decision_leave_ksmd_as_it_is(stage):
    with ksmd_had() as before:
        stage.guest(300, '--unique', '50')
        d = stage.daemon(QUIET, ADAPTIVE, arguments=['--dry-run'])
        wait_for('the word', lambda: 'would have ksmd scheduled as SCHED_IDLE' in d.said())
        assert scheduling_of_ksmd() == before, 'dry run'
        d.signal('TERM')
        assert d.wait() == 0, 'exit status'
        d = stage.daemon(ALWAYS_SHORT, 'KSM_KSMD_SCHEDULING=idle\n', arguments=['--once'], ready=False)
        assert d.wait() == 0, 'exit status'
        assert (ksm('run'), scheduling_of_ksmd()) == (1, before), 'once'


def test_a_ksmd_that_gets_no_CPU_has_its_own_scheduling_back(stage):
    """Two processes for each CPU want all of it, so that a thread under SCHED_IDLE gets a thousandth."""
    with ksmd_had() as before:
        spinners = [stage.start(['sh', '-c', 'while :; do :; done']) for _ in range(2 * os.cpu_count())]
        d = stage.daemon(QUIET, ADAPTIVE)
        stage.guest(300, '--unique', '90')
        wait_for('SCHED_IDLE', lambda: scheduling_of_ksmd() == IDLE)
        wait_for('the message', lambda: 'ksmd was without a CPU' in d.said())
        assert scheduling_of_ksmd() == before
        for spinner in spinners:
            spinner.kill()
        wait_for('rest', lambda: ksm('run') == 0)
        assert d.said().count('ksmd was without a CPU') == 1, d.said()
        d.end()
        assert scheduling_of_ksmd() == before


# --- The advisor policy --------------------------------------------------------------------------------------------

def test_the_advisor_policy_hands_over_the_pace_and_restores_it(stage):
    need_advisor()
    names = ('advisor_target_scan_time', 'advisor_max_cpu', 'advisor_min_pages_to_scan', 'advisor_max_pages_to_scan')
    before = [ksm(name) for name in names]
    d = stage.daemon(QUIET, ALWAYS_SHORT, 'KSM_POLICY=advisor\nKSM_ADVISOR_SCAN_TIME=33\nKSM_ADVISOR_CPU_MAX=44\n'
                     'KSM_ADVISOR_NPAGES_MIN=40000\nKSM_ADVISOR_NPAGES_MAX=50000\nKSM_ON_EXIT=restore\n')
    assert (ksm('advisor_mode'), ksm('run')) == ('scan-time', 1), 'advisor and run'
    assert [ksm(name) for name in names[:2]] == [33, 44], 'scan time and CPU maximum'
    assert 40000 <= ksm(names[2]) <= ksm(names[3]) <= 50000, 'the bounds are not within the configured ones'
    merged(stage)
    d.end()
    assert [ksm(name) for name in names] == before, 'the advisor\'s files at the end'
    assert (ksm('advisor_mode'), ksm('run')) == ('none', 0), 'advisor and run at the end'


# --- Others at the knobs -------------------------------------------------------------------------------------------

def test_a_foreign_write_is_told_once_and_overwritten(stage):
    d = stage.daemon(QUIET, ALWAYS_SHORT, STEPS)
    for name, foreign, ours, next_value in (('pages_to_scan', 777, 2000, 4000),
                                            ('sleep_millisecs', 55, expected_sleep(), expected_sleep()), ('run', 0, 1, 1)):
        before = d.said()
        set_ksm(**{name: foreign})
        d.decide()
        assert ksm(name) == next_value, name
        new = [line for line in d.said()[len(before):].splitlines() if name in line]
        assert len(new) == 1, f'messages about {name}'
        assert re.search(rf'\b{ours}\b.*\b{foreign}\b|\b{foreign}\b.*\b{ours}\b', new[0]), \
            f'it names no {ours} and {foreign}: {new[0]}'
    before = d.said()
    d.decide()
    assert [line for line in d.said()[len(before):].splitlines() if 'changed' in line] == [], \
        'messages after nothing happened'
    d.end()


def test_a_file_that_refuses_is_told_once_and_the_daemon_goes_on(stage):
    # A kernel that refuses can be had by a read-only mount over the folder, in a mount namespace of its own.
    gate = f'{stage.folder}/refuse'
    need_mounts()
    script = f'"$@" & p=$!; trap "kill -TERM $p; wait $p; exit $?" TERM; while [ ! -e {gate} ]; do sleep .05; done; ' \
             f'mount --bind {KSM} {KSM} && mount -o remount,bind,ro {KSM}; touch {gate}.ro; ' \
             f'while [ -e {gate} ]; do sleep .05; done; umount {KSM}; touch {gate}.rw; wait $p'
    d = stage.daemon(QUIET, ALWAYS_SHORT, STEPS, wrapper=['unshare', '--mount', 'bash', '-c', script, 'bash'])
    pid = int(read(d.pid_file))
    usr1 = lambda: os.kill(pid, signal.SIGUSR1)
    tell = lambda: [line for line in d.said().splitlines() if 'Read-only' in line or 'read-only' in line or 'again' in line]
    try:
        write(gate, '')
        wait_for('the read-only mount', lambda: os.path.exists(f'{gate}.ro'))
        for _ in range(3):
            before = d.stamp()
            usr1()
            wait_for('a decision', lambda: d.stamp() != before)
        assert len(tell()) == 1, f'messages about a refusing kernel {tell()}'
        assert ksm('pages_to_scan') == 2000, 'pages_to_scan while it refuses'
        os.unlink(gate)
        wait_for('the kernel to take writes again', lambda: os.path.exists(f'{gate}.rw'))
        usr1()
        wait_for('a write', lambda: ksm('pages_to_scan') == 5000)
        wait_for('the second message', lambda: len(tell()) == 2)
    finally:
        os.kill(pid, signal.SIGTERM)
        d.process.wait()


# --- Configuration -------------------------------------------------------------------------------------------------

def test_HUP_takes_a_good_configuration_and_decides(stage):
    d = stage.daemon(QUIET, ALWAYS_SHORT, STEPS)
    write(d.configuration, read(d.configuration) + 'KSM_NPAGES_BOOST=-100\nKSM_SLEEP_MSEC=100\n')
    d.reload()
    assert (ksm('pages_to_scan'), ksm('sleep_millisecs')) == (1900, expected_sleep(100)), 'pages and sleep'
    os.mkdir(f'{d.configuration}.d')
    write(f'{d.configuration}.d/10-a.conf', 'KSM_NPAGES_BOOST=7\n')
    write(f'{d.configuration}.d/20-b.conf', 'KSM_NPAGES_BOOST=11\n')
    write(f'{d.configuration}.d/30-c', 'KSM_NPAGES_BOOST=13\n')              # not called *.conf
    d.reload()
    assert ksm('pages_to_scan') == 1911, 'pages by the last drop-in file'
    d.end()


def test_HUP_refuses_a_broken_configuration_and_keeps_the_old(stage):
    d = stage.daemon(QUIET, ALWAYS_SHORT, STEPS)
    good = read(d.configuration)
    write(d.configuration, good + 'KSM_NPAGES_MAX=abc\nKSM_NPAGES_MIN=010\n$(touch /run/never)\n')
    d.reload()
    lines = good.count('\n')
    for n in (1, 2, 3):
        assert f'{d.configuration}:{lines + n}:' in d.said(), f'no error for line {lines + n}:\n{d.said()}'
    assert not os.path.exists('/run/never'), 'it ran a command of the configuration'
    assert ksm('pages_to_scan') == 4000, 'pages by the old configuration'
    d.decide()
    assert ksm('pages_to_scan') == 5000, 'pages by the old configuration'
    write(d.configuration, good + 'KSM_NPAGES_MAX=4444\n')
    d.reload()
    assert ksm('pages_to_scan') == 4444, 'pages by the mended configuration'
    d.end()


def test_a_wrong_value_at_start_is_refused(stage):
    before = knobs()
    d = stage.daemon(ALWAYS_SHORT, 'KSM_NPAGES_MAX=abc\nKSM_SLEEP_MSEC=-1\n', ready=False)
    assert d.wait() == 78, 'exit status'
    for n in (3, 4):
        assert f'{d.configuration}:{n}:' in d.said(), f'no error for line {n}:\n{d.said()}'
    assert knobs() == before, 'knobs'
    assert not os.path.exists(d.pid_file) and not os.path.exists(STATE), 'a pid file or a state is left'


def test_check_config_says_the_same_and_touches_nothing(stage):
    before = knobs()
    good, bad = stage.configuration(QUIET), stage.configuration('KSM_NPAGES_MAX=abc\nKSM_NPAGES_MIN=0x10\n')
    for arguments, status in ((['--check-config', good], 0), (['--check-config', bad], 78),
                              (['--config', bad, '--check-config'], 78)):
        done = subprocess.run([stage.programs.daemon, *arguments], capture_output=True, text=True, timeout=LIMIT)
        assert done.returncode == status, ' '.join(arguments)
        if status:
            assert all(f'{bad}:{n}:' in done.stdout + done.stderr for n in (2, 3)), f'not every error is told: {done}'
    assert knobs() == before, 'knobs'
    assert not os.path.exists(f'{os.path.dirname(good)}/pid'), 'a pid file is left'


def test_LOGFILE_gets_dated_lines_and_is_reopened_on_HUP(stage):
    log = f'{stage.folder}/log'
    d = stage.daemon(QUIET, ALWAYS_SHORT, STEPS, f'DEBUG=0\nLOGFILE={log}\n', ready=False)
    # With a LOGFILE, standard error is for what needs attention. The state is there before the first decision.
    wait_for('the first decision', lambda: state().get('ACTION'))
    date = r'\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d UTC \d{4}: '
    lines = read(log).splitlines()
    total = meminfo('MemTotal')
    wanted = [f'total {total}', f'sleep {expected_sleep()}', f'thres {total}', r'committed \d+ free \d+',
              rf'\d+ > {total}, start ksm', r'\d+ < \d+, boost', f'KSMCTL start 2000 {expected_sleep()}']
    assert len(lines) == len(wanted), f'lines in {lines}'
    for line, pattern in zip(lines, wanted):
        assert re.fullmatch(date + pattern, line), f'{line!r} is not {pattern!r} behind a date'
    os.rename(log, f'{log}.1')
    d.decide()
    assert not os.path.exists(log), 'it opened the file again by itself'
    d.signal('HUP')
    wait_for('lines in the new file', lambda: os.path.exists(log) and 'KSMCTL start 5000' in read(log))
    assert 'KSMCTL start 4000' in read(f'{log}.1'), 'the decision before HUP is not in the old file'
    d.end()


# --- Other ways to start -------------------------------------------------------------------------------------------

def test_a_second_daemon_refuses_and_names_the_first(stage):
    first = stage.daemon(QUIET, ALWAYS_SHORT, STEPS)
    second = stage.daemon(configuration=first.configuration, ready=False)
    assert second.wait() == 75, 'exit status'
    assert str(first.pid) in second.said(), f'it does not name pid {first.pid}: {second.said()}'
    assert (ksm('pages_to_scan'), read(first.pid_file).strip(), state()['PID']) == (2000, str(first.pid), str(first.pid)), \
        'pages, pid file, state'
    once = stage.daemon(configuration=first.configuration, arguments=['--once'], ready=False)
    assert once.wait() == 75, 'exit status of --once'
    assert ksm('pages_to_scan') == 2000, 'pages after --once'
    first.end()
    third = stage.daemon(configuration=first.configuration)
    third.end()


def test_a_pid_file_of_a_dead_daemon_is_no_obstacle(stage):
    configuration = stage.configuration(QUIET, ALWAYS_SHORT)
    write(f'{os.path.dirname(configuration)}/pid', '1\n')
    d = stage.daemon(configuration=configuration)
    assert read(d.pid_file).strip() == str(d.pid), 'pid file'
    d.end()


def everything(folder):
    """All of KSM that no scan moves, and which files the daemon's folders hold."""
    files = {name: read(f'{KSM}/{name}') for name in os.listdir(KSM)}
    for place in (os.path.dirname(STATE), '/var/lib/ksmtuned', folder):
        files[place] = sorted(os.listdir(place)) if os.path.isdir(place) else None
        for name in files[place] or []:
            if not name.endswith('.stderr') and os.path.isfile(f'{place}/{name}'):
                files[f'{place}/{name}'] = os.stat(f'{place}/{name}').st_mtime_ns
    return files


def test_a_dry_run_writes_nothing(stage):
    for settings in (ALWAYS_SHORT, AT_EASE):
        for way in end_ways():
            configuration = stage.configuration(f'KSM_MONITOR_INTERVAL=0.2\nDEBUG=1\nLOGFILE={stage.folder}/never\n', settings,
                                                f'KSM_ON_EXIT={way}\n')
            folder = os.path.dirname(configuration)
            before = everything(folder)
            d = stage.daemon(configuration=configuration, arguments=['--dry-run'])
            wait_for('several decisions', lambda: d.said().count('would write') > 4)
            d.signal('TERM')
            assert d.wait() == 0, 'exit status'
            assert everything(folder) == before, f'the host ({way})'
            assert not os.path.exists(f'{stage.folder}/never'), 'it wrote LOGFILE'


def test_a_dry_run_leaves_even_an_advisor_and_a_running_daemon_alone(stage):
    if has('advisor_mode'):
        set_ksm(advisor_mode='scan-time')
        before = knobs()
        d = stage.daemon(ALWAYS_SHORT, arguments=['--dry-run', '--once'], ready=False)
        assert d.wait() == 0, 'exit status'
        assert knobs() == before, 'knobs'
        set_ksm(advisor_mode='none')
    first = stage.daemon(QUIET, ALWAYS_SHORT, STEPS)
    before = knobs(), read(STATE), read(first.pid_file)
    second = stage.daemon(configuration=first.configuration, arguments=['--dry-run', '--once'], ready=False)
    assert second.wait() == 0, 'exit status beside a running daemon'
    assert (knobs(), read(STATE), read(first.pid_file)) == before, 'knobs, state, pid file'
    first.end()


def test_once_decides_once_and_leaves_it(stage):
    d = stage.daemon(ALWAYS_SHORT, STEPS, 'KSM_ON_EXIT=unmerge\nKSM_FIRST_DECISION=interval\n', arguments=['--once'],
                     ready=False)
    assert d.wait() == 0, 'exit status'
    assert (ksm('run'), ksm('pages_to_scan'), ksm('sleep_millisecs')) == (1, 2000, expected_sleep()), \
        'run, pages, sleep'
    assert not os.path.exists(d.pid_file), 'the pid file is left'


def test_readiness_is_told_after_the_first_decision(stage):
    path = f'{stage.folder}/notify'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(LIMIT)
        d = stage.daemon(QUIET, ALWAYS_SHORT, STEPS, ready=False, environment={'NOTIFY_SOCKET': path})
        told, text = [], ''
        while 'READY=1' not in text:
            text = s.recv(4096).decode()
            told.append(text)
        assert ksm('pages_to_scan') == 2000, 'pages when READY=1 came'
        d.signal('HUP')
        while 'READY=1' not in (text := s.recv(4096).decode()) or 'RELOADING=1' in text:
            told.append(text)
        reloading = next((t for t in told if 'RELOADING=1' in t), '')
        assert re.search(r'(?m)^MONOTONIC_USEC=\d+$', reloading), f'no RELOADING=1 with MONOTONIC_USEC in {told}'
        d.signal('TERM')
        assert d.wait() == 0, 'exit status'
        s.setblocking(False)
        try:
            while True:
                told.append(s.recv(4096).decode())
        except BlockingIOError:
            pass
    assert any('STATUS=scanning 2000' in t for t in told), f'no STATUS= in {told}'
    assert 'STOPPING=1' in ''.join(told[-3:]), f'no STOPPING=1 at the end of {told}'


def test_a_host_without_KSM_or_with_it_read_only_is_refused(stage):
    need_mounts()
    for name, mount in (('no KSM', 'mount -t tmpfs none /sys/kernel/mm'),
                        ('read-only', f'mount --bind {KSM} {KSM} && mount -o remount,bind,ro {KSM}')):
        d = stage.daemon(ALWAYS_SHORT, ready=False,
                         wrapper=['unshare', '--mount', 'sh', '-c', f'{mount} && exec "$@"', 'sh'])
        assert d.wait() == 69, f'exit status ({name})'
        assert d.said().count('\n') == 1, f'lines of the message ({name}) {d.said()!r}'
        assert not os.path.exists(d.pid_file) and not os.path.exists(STATE), f'a pid file or a state is left ({name})'


# --- ksmctl --------------------------------------------------------------------------------------------------------

def test_ksmctl_start_and_stop_write_run_only(stage):
    set_ksm(pages_to_scan=321, sleep_millisecs=33)
    for arguments, run in ((['start'], 1), (['stop'], 0), (['start', 'what', 'ever'], 1), (['stop', 'x'], 0)):
        done = stage.ksmctl(*arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, '', ''), f'ksmctl {" ".join(arguments)}'
        assert (ksm('run'), ksm('pages_to_scan'), ksm('sleep_millisecs')) == (run, 321, 33), f'knobs after {arguments}'


def test_ksmctl_without_a_known_word_says_its_usage(stage):
    for argv0 in ('ksmctl', '/usr/sbin/ksmctl'):
        for arguments in ([], ['restart'], [''], ['Start']):
            done = stage.ksmctl(*arguments, argv0=argv0)
            # The original's line; the commands that it did not have follow.
            first = done.stderr.splitlines(keepends=True)[0]
            assert (done.returncode, done.stdout, first) == (1, '', f'Usage: {argv0} {{start|stop}}\n'), \
                f'ksmctl {arguments}'
