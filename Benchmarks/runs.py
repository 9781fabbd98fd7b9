"""One run of `policies`: starts a policy and its guests, samples, and ends all."""
import collections, pathlib, re, shutil, subprocess, time
from shared.kernel import (PAGE, children_cpu_time, cpu_time, ksm, meminfo, pid_of_ksmd, put_back, read, set_ksm)
from shared.machines import CACHE, build_image, qemu, write_initrd
from shared.needs import Missing, need
from shared.original import edited
from shared.processes import Stage, wait_for
from shared.tested import compile_guest
from workloads import mergeable

HERE = pathlib.Path(__file__).resolve().parent
INTERVAL = .5                           # seconds between samples
WALK = 7                                # samples between two walks through the page tables: 3.5 s keep no step with workloads


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


def start_guest(stage, workload, policy):
    rewrite = ('--rewrite', *workload.rewrite) if workload.rewrite else ()
    return stage.begin([stage.folder / policy.guest, '--same', workload.same, '--zero', workload.zero,
                        '--unique', 100 - workload.same - workload.zero, '--timed', workload.timed, *rewrite,
                        *workload.options, workload.mib, '-enable-kvm'], output=subprocess.PIPE)


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


def start_machine(stage, workload, policy):
    stage.machines += 1
    log = stage.folder / f'machine-{stage.machines}.log'
    log.unlink(missing_ok=True)
    guest = stage.begin(qemu(
        stage.folder / 'image', stage.folder / 'initrd', [log, None], '-name', 'bench-enable-kvm',
        program=stage.folder / 'machine' / policy.guest, memory=workload.mib, append=f'bench={workload.machine}'),
        output=subprocess.PIPE)
    guest.log = log
    return guest


def booted(guest):
    return 'ready' in read(guest.log)


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
            stage.complaints.append(f'the advisor did not recover from being switched on ({ksm("pages_to_scan")} pages)')
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
        (stage.folder / 'original.conf').write_text(settings(dict(policy.config, PIDFILE=stage.folder / 'original.pid')))
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

    def __init__(self, workload, policy, number):
        self.workload, self.policy, self.number = workload, policy, number
        self.samples, self.writes, self.complaints, self.mergeable = [], [], [], None

    def sample(self, began, guests, ksmd, daemon, window):
        walk = mapped(guests) if len(self.samples) % WALK == 0 else None
        kernel = {name: ksm(name) for name in SAMPLED}
        self.samples.append(dict(
            kernel, mapped=walk, workload=self.workload, policy=self.policy, number=self.number, time=time.monotonic() - began,
            saved=(ksm('pages_sharing') + (ksm('ksm_zero_pages') or 0)) * PAGE, ksmd=cpu(ksmd),
            daemon=cpu(daemon.pid) if daemon else 0, available=available(), window=int(window)))
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
        daemon = start_policy(stage, policy, options)
        pause(stage, policy.ahead if daemon else 0)
        if not daemon:
            set_ksm(**policy.knobs)
            if 'advisor_mode' in policy.knobs:
                warm_advisor(stage)
            set_ksm(run=1)
        begin = start_machine if workload.machine else start_guest
        guests = collections.deque(begin(stage, workload, policy) for _ in range(workload.guests))
        run.mergeable = None if workload.machine else mergeable(workload)
        watch(run, workload, policy, stage, guests, ksmd, daemon)
        if workload.machine and not all(map(booted, guests)):
            stage.complaints.append(f'of {len(guests)} guests only {sum(map(booted, guests))} have booted')
        run.writes += [stage.finish(guest) for guest in guests]
    finally:
        stage.clear()
        run.complaints += stage.complaints
        put_back(found)


def pause(stage, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stage.complaints:
        time.sleep(min(.2, seconds))
        stage.look()


def watch(run, workload, policy, stage, guests, ksmd, daemon):
    """Samples until the run, or the window after convergence, is over."""
    began, steps, replaced, converged = time.monotonic(), 0, 0, None
    ends = workload.seconds
    while True:
        sample = run.sample(began, guests, ksmd, daemon, converged is not None and steps * INTERVAL >= converged)
        now = sample['time']
        if workload.window and converged is None:
            if sample['saved'] >= .95 * run.mergeable:
                converged = now + workload.settle
            elif now >= workload.seconds:
                converged = now
                stage.complaints.append(f'not converged after {now:.0f} s, measured nevertheless')
            if converged is not None:
                ends = converged + workload.window
        if now >= ends:
            return
        if workload.replace and now >= (replaced + 1) * workload.replace and now < ends - 1:
            replaced += 1
            run.writes.append(stage.finish(guests.popleft()))
            guests.append(start_guest(stage, workload, policy))
        stage.look()
        steps += 1
        time.sleep(max(0, began + steps * INTERVAL - time.monotonic()))


