"""One run of `policies`: starts a policy and its guests, samples, and ends all."""
import collections, pathlib, random, re, shutil, signal, subprocess, tempfile, time
from shared.kernel import (MIB, PAGE, children_cpu_time, cpu_time, ksm, meminfo, pid_of_ksmd, put_back, read, set_ksm)
from shared.machines import CACHE, build_image, qemu, write_initrd
from shared.needs import Missing, compiler, need, need_programs
from shared.original import edited
from shared.processes import Stage, wait_for
from shared.tested import compile_guest
from workloads import TASK, mergeable

HERE = pathlib.Path(__file__).resolve().parent
INTERVAL = .5                           # seconds between samples
WALK = 7                                # samples between two walks through the page tables: 3.5 s keep no step
STARTING = 60                           # seconds at least for which the co-runner feels the guests' start
FILES_MIB = 256                         # what real guests read


# --- The kernel ----------------------------------------------------------------------------------------------------

def mapped(guests):
    """Bytes saved in the guests that live, from their page tables; None where the kernel does not say (before 6.8).

    pages_sharing goes on counting what ended guests had, and pages that have been written to since, until ksmd comes
    by: who stops scanning would seem to save for ever."""
    total = 0
    for guest in guests:
        try:
            rollup, zeros = read(f'/proc/{guest.pid}/smaps_rollup'), read(f'/proc/{guest.pid}/ksm_stat')
        except (FileNotFoundError, ProcessLookupError):
            continue
        found = re.search(r'^KSM:\s+(\d+)', rollup, re.MULTILINE)
        if not found:
            return None
        zeros = re.search(r'ksm_zero_pages (\d+)', zeros)
        total += int(found[1]) * 1024 + (int(zeros[1]) * PAGE if zeros else 0)
    return max(0, total - ksm('pages_shared') * PAGE)


def cpu(pid):
    """Seconds on a processor, with those of children that have ended; 0 where the process is gone."""
    try:
        return (cpu_time(pid) + children_cpu_time(pid)) / 1e9
    except (OSError, IndexError):
        return 0.


def available():
    """Bytes."""
    return meminfo('MemAvailable') * 1024


# --- Programs ------------------------------------------------------------------------------------------------------

class RunStage(Stage):
    """What one run starts, and what ended before its time."""

    def __init__(self, folder):
        super().__init__(folder)
        self.complaints, self.machines, self.reported = [], 0, set()

    def begin(self, command, environment=None, output=subprocess.DEVNULL):
        """A program under its name, without the folder."""
        program = self.start([pathlib.Path(command[0]).name, *command[1:]], executable=command[0], env=environment,
                             stdout=output, stderr=output, text=True)
        program.name = pathlib.Path(command[0]).name
        return program

    def finish(self, program):
        """Ends a program; returns what it printed, for a guest its times."""
        self.look()
        return self.end(program, patience=15)

    def look(self):
        """Complains of programs that have ended by themselves."""
        for program in self.started:
            if program.poll() is not None and program not in self.reported:
                self.reported.add(program)
                why = program.stderr.read().strip() if program.stderr else ''
                self.complaints.append(f'{program.name} ({program.pid}) ended with status {program.returncode} {why}')


def build_guest(folder):
    """The fake guest, under the names by which it is known as a guest."""
    shutil.copy2(compile_guest(folder / 'qemu-system-x86_64'), folder / 'kvm')


def start_guest(stage, workload, policy, guest):
    told = [word for name, values in (('--rewrite', workload.rewrite), ('--become-same', workload.become),
                                      ('--give-take', workload.give), ('--fill', guest.fill and (guest.fill,)))
            if values for word in (name, *values)]
    return stage.begin([stage.folder / policy.guest, '--same', workload.same, '--zero', workload.zero,
                        '--unique', 100 - workload.same - workload.zero, '--timed', workload.timed, *told,
                        *workload.options, guest.mib, '-enable-kvm'], output=subprocess.PIPE)


def start_tiny_guest(stage, mib):
    """One in which nothing can be merged."""
    return stage.begin([stage.folder / 'qemu-system-x86_64', '--unique', 100, mib], output=subprocess.PIPE)


def touch_memory(folder, mib):
    """Has as much memory taken and given back as a run takes: where this host is a virtual machine itself, the first
    touch is slow, and the first run would bear it."""
    print(f'touching {mib} MiB of memory first', flush=True)
    stage = RunStage(folder)
    try:
        start_tiny_guest(stage, mib).stdout.readline()
    finally:
        stage.clear()


def build_machine(folder):
    """For real guests: the image of the tests that boot one, and what the guests do, as one more archive behind it."""
    need(shutil.which('gzip'), 'real guests need gzip; choose others with --workloads')
    image, remark = build_image()
    if remark:
        print(remark)
    shutil.copytree(HERE / 'machine', folder / 'stage/payload')
    shutil.copy(shutil.which('gzip'), folder / 'stage/payload')
    write_initrd(folder / 'initrd', image, folder / 'stage')
    (folder / 'image').symlink_to(image)
    (folder / 'machine').mkdir()
    for name in ('qemu-system-x86_64', 'kvm'):
        (folder / 'machine' / name).symlink_to(shutil.which('qemu-system-x86_64'))


def build_files(folder):
    """The disk whose files real guests read, each of 1 MiB: no page of it is like another, and all guests see the
    same. The kernel of the image has drivers for NVMe and ext4 built in."""
    need_programs('mkfs.ext4:e2fsprogs')
    random.seed('the same in every run')
    with tempfile.TemporaryDirectory(dir=folder) as files:
        for number in range(FILES_MIB):
            (pathlib.Path(files) / str(number)).write_bytes(random.randbytes(MIB))
        subprocess.run(['mkfs.ext4', '-q', '-O', '^has_journal', '-d', files, folder / 'files',
                        f'{FILES_MIB * 9 // 8}M'], check=True, stdout=subprocess.DEVNULL)


def start_machine(stage, workload, policy, guest):
    stage.machines += 1
    log = stage.folder / f'machine-{stage.machines}.log'
    log.unlink(missing_ok=True)
    disk = ('-drive', f'if=none,id=files,format=raw,readonly=on,file={stage.folder / "files"}',
            '-device', 'nvme,drive=files,serial=files') if workload.machine == 'files' else ()
    machine = stage.begin(qemu(
        stage.folder / 'image', stage.folder / 'initrd', [log, None], '-name', 'bench-enable-kvm', *disk,
        program=stage.folder / 'machine' / policy.guest, memory=guest.mib, append=f'bench={workload.machine}'),
        output=subprocess.PIPE)
    machine.log = log
    return machine


def booted(guest):
    return 'ready' in read(guest.log)


def build_co_runner(folder, load):
    """The command of a co-runner that takes this share of each processor. Its tasks are measured now, with nothing
    beside them, and are the same in all runs."""
    program = folder / 'corunner'
    subprocess.run([compiler(), '-O2', '-o', program, HERE / 'corunner.c', '-lm'], check=True)
    loads = int(subprocess.run([program, '--calibrate', str(TASK)], check=True, stdout=subprocess.PIPE).stdout)
    print(f'on each processor a co-runner: {TASK} us ({loads} loads), each {TASK / load:.0f} us', flush=True)
    return [program, loads, TASK / load]


def start_co_runner(stage, options):
    if not options.co_runner:
        return None
    program = stage.begin(options.co_runner_command, output=subprocess.PIPE)
    program.stdout.readline()                   # "ready"
    return program


def warm_advisor(stage):
    """The advisor as it is on a host where it has been on since boot, and has seen next to nothing.

    Switched on later, it takes all CPU time of ksmd since boot for that of its first pass (scan_time_advisor() in
    mm/ksm.c of 6.8 to 6.18, and set_advisor_defaults() before it), and falls to a few pages a time for minutes. So it
    makes its first passes over one tiny guest, until it is at its start value again. Nothing else is carried over."""
    guest = start_tiny_guest(stage, 1)
    set_ksm(run=1)
    until = time.monotonic() + 60
    while ksm('full_scans') < 2 or ksm('pages_to_scan') < ksm('advisor_min_pages_to_scan'):
        if time.monotonic() > until:
            stage.complaints.append(
                f'the advisor did not recover from being switched on ({ksm("pages_to_scan")} pages)')
            break
        time.sleep(.02)
    set_ksm(run=0)
    stage.finish(guest)
    set_ksm(run=2)
    set_ksm(run=0)


def start_policy(stage, policy, options):
    """The program of a policy that has one; None for plain knobs."""
    settings = lambda values: ''.join(f'{key}={value}\n' for key, value in values.items())
    if policy.script:
        script = edited(policy.script, stage.folder, CACHE / 'ksmtuned-bench')
        own = dict(policy.config, PIDFILE=stage.folder / 'original.pid')
        (stage.folder / 'original.conf').write_text(settings(own))
        return stage.begin([script])
    if policy.config is None:
        return None
    own = dict(policy.config, PIDFILE=stage.folder / 'daemon.pid', KSM_ON_EXIT='restore')
    own.update(options.config if policy.config.get('KSM_POLICY') else {})
    file = stage.folder / 'ksmtuned.conf'
    file.write_text(settings(own))
    checked = subprocess.run([options.daemon, '--check-config', file], capture_output=True, text=True)
    said = (checked.stdout + checked.stderr).strip().replace(str(file), 'configuration')
    if checked.returncode or 'warning' in said:
        print(said, flush=True)
    with open(options.out / 'daemon.log', 'a') as log:
        return stage.begin([options.daemon, '--config', file], output=log)


# --- One run -------------------------------------------------------------------------------------------------------

SAMPLED = ('pages_shared', 'pages_unshared', 'pages_volatile', 'full_scans', 'pages_to_scan', 'sleep_millisecs', 'run')
COLUMNS = ('workload', 'policy', 'number', 'time', 'saved', 'mapped', *SAMPLED, 'ksmd', 'daemon', 'available', 'window')


class Run:
    """One workload under one policy: its samples, and what its guests measured."""

    def __init__(self, workload, policy, number, co_runner=''):
        self.workload, self.policy, self.number, self.co_runner = workload, policy, number, co_runner
        self.samples, self.writes, self.complaints, self.mergeable = [], [], [], None
        self.latencies = []             # of the co-runner: a line for its window from the start, one for the one behind

    def sample(self, began, guests, ksmd, daemon, window):
        walk = mapped(guests) if len(self.samples) % WALK == 0 else None
        kernel = {name: ksm(name) for name in SAMPLED}
        self.samples.append(dict(
            kernel, mapped=walk, workload=self.workload, policy=self.policy, number=self.number,
            time=time.monotonic() - began, saved=(ksm('pages_sharing') + (ksm('ksm_zero_pages') or 0)) * PAGE,
            ksmd=cpu(ksmd), daemon=cpu(daemon.pid) if daemon else 0, available=available(), window=int(window)))
        return self.samples[-1]


def measure(run, workload, policy, options, folder, found):
    """Starts the policy and the guests, samples, and ends all."""
    put_back(found)
    try:
        wait_for('nothing merged', lambda: not ksm('pages_sharing') and not ksm('pages_shared'))
    except AssertionError:
        raise Missing('KSM has merged pages again after all were taken apart: something else drives it') from None
    stage, ksmd = RunStage(folder), pid_of_ksmd()
    try:
        co_runner = start_co_runner(stage, options)
        daemon = start_policy(stage, policy, options)
        pause(stage, policy.ahead if daemon else 0)
        if not daemon:
            set_ksm(**policy.knobs)
            if 'advisor_mode' in policy.knobs:
                warm_advisor(stage)
            set_ksm(run=0 if policy.off else 1)
        elif policy.retune:
            daemon.send_signal(signal.SIGUSR1)
        if co_runner:
            co_runner.send_signal(signal.SIGUSR1)
        begin = start_machine if workload.machine else start_guest
        guests = Guests(workload, lambda guest: begin(stage, workload, policy, guest))
        run.mergeable = None if workload.machine else mergeable(workload)
        watch(run, workload, policy, stage, guests, ksmd, daemon, co_runner)
        if co_runner:
            # Before the guests, whose end costs time. The first line is from before their start.
            run.latencies = stage.finish(co_runner).splitlines()[1:]
        if workload.machine and not all(map(booted, guests.running)):
            stage.complaints.append(
                f'of {len(guests.running)} guests only {sum(map(booted, guests.running))} have booted')
        run.writes += [stage.finish(guest) for guest in guests.running]
    finally:
        stage.clear()
        run.complaints += stage.complaints
        put_back(found)


def pause(stage, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stage.complaints:
        time.sleep(min(.2, seconds))
        stage.look()


class Guests:
    """Those that run, the oldest first, and those whose time has not come."""

    def __init__(self, workload, begin):
        self.begin, self.running = begin, collections.deque()
        self.waiting = collections.deque(sorted(workload.each(), key=lambda guest: guest.starts))
        self.kind = self.waiting[0]
        self.start(0)

    def start(self, now):
        """Those that are due."""
        while self.waiting and self.waiting[0].starts <= now:
            self.running.append(self.begin(self.waiting.popleft()))

    def replace(self, finish):
        """The oldest one ends, and one of its kind starts; gives what the former printed."""
        printed = finish(self.running.popleft())
        self.running.append(self.begin(self.kind))
        return printed


def watch(run, workload, policy, stage, guests, ksmd, daemon, co_runner):
    """Samples until the run, or the window after convergence, is over."""
    began, steps, replaced, converged = time.monotonic(), 0, 0, None
    ends, starting = workload.seconds, co_runner
    while True:
        within = converged is not None and steps * INTERVAL >= converged
        sample = run.sample(began, guests.running, ksmd, daemon, within)
        now, merged = sample['time'], not run.mergeable or sample['saved'] >= .95 * run.mergeable
        if workload.window and converged is None:
            if merged:
                converged = now + workload.settle
            elif now >= workload.seconds:
                converged = now
                stage.complaints.append(f'not converged after {now:.0f} s, measured nevertheless')
            if converged is not None:
                ends = converged + workload.window
        if now >= ends:
            return
        if starting and now >= min(STARTING, ends / 2) and (merged or policy.off):
            starting.send_signal(signal.SIGUSR1)
            starting = None
        guests.start(now)
        if workload.replace and now >= (replaced + 1) * workload.replace and now < ends - 1:
            replaced += 1
            run.writes.append(guests.replace(stage.finish))
        stage.look()
        steps += 1
        time.sleep(max(0, began + steps * INTERVAL - time.monotonic()))
