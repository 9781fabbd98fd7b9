"""What must hold whatever fails: rules on what was seen of a life, against a life in which nothing failed."""
import collections, errno, re, signal
from .lives import WATCHDOG
from .tested import TOP

# What passes by itself: a start that fails by it is tried again.
TRANSIENT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EINTR, errno.EAGAIN, errno.ENOSPC, errno.EDQUOT, errno.ENOLCK}
SETTINGS = ('smart_scan', 'use_zero_pages')        # knobs that the configuration sets
MEMORY = 512                                    # KiB more than the undisturbed life's

# Failures that may break a rule: ((life, name, path, what, the rule's word), why), where None fits all, and a compiled
# expression what it is found in.
EXCEPTIONS = (
    ((None, None, '~/run/ksmtuned/lock', None, 'left'),
     "A lock file that could not be looked at or locked may be another daemon's: without it a third one could start."),
    ((None, None, '~/sys/kernel/mm/ksm/run', None, 'left'),
     'Where the last write fails, the state is kept: it tells the next daemon what run held before this one.'),
    ((None, 'openat', re.compile(r'^~/proc/20\d/statm$'), None, 'given up'),
     'A guest whose file could not be held when it came is read by one that is opened each time.'),
    ((None, 'pread64', re.compile(r'^~/(sys|proc/[a-z])'), None, 'given up'),
     'A file of the kernel that is held and failed is closed, and opened when it is read again: some seldom are.'),
    *(((None, 'write', '~/proc/pressure/memory', what, 'given up'),
       'A kernel that takes no such trigger takes none later.') for what in (errno.EINVAL, errno.EOPNOTSUPP)),
    *(((None, name, path, errno.EACCES, 'given up'),
       'What this process may not have it is not given later: only a new start, or a reload, asks again.')
      for name, path in ((None, '~/proc/self/stat'), ('openat', '~/proc/pressure/memory'), ('socket', ''))),
    ((None, 'getrandom', None, errno.ENOSYS, 'descriptor'),
     'The C library then reads /dev/urandom, and holds it open.'),
    *(((None, 'openat', '~/run/ksmtuned/state', what, 'state'),
       'What a killed daemon had found may be in it: what KSM holds now need not be that, and is not kept as such.')
      for what in (errno.EACCES, errno.EROFS)),
)

# What the state file says of the knobs as they were found.
FOUND_KNOBS = {f'FOUND_{key}': knob for key, knob in dict(
    RUN='run', PAGES_TO_SCAN='pages_to_scan', SLEEP_MILLISECS='sleep_millisecs', ADVISOR_MODE='advisor_mode',
    ADVISOR_CPU_MAX='advisor_max_cpu', ADVISOR_NPAGES_MAX='advisor_max_pages_to_scan', SMART_SCAN='smart_scan',
    ADVISOR_NPAGES_MIN='advisor_min_pages_to_scan', ADVISOR_SCAN_TIME='advisor_target_scan_time',
    USE_ZERO_PAGES='use_zero_pages').items()}


def documented_statuses(page):
    """Of a manual page's table."""
    text = (TOP / 'man' / page).read_text().partition('.Sh EXIT STATUS')[2].partition('.Sh ')[0]
    found = {int(number) for number in re.findall(r'(?m)^\.It (\d+)', text)}
    assert len(found) > 3, f'the table of exit statuses in {page} has no rows'
    return found


def not_restarted():
    text = (TOP / 'systemd/ksmtuned.service').read_text()
    return set(map(int, re.search(r'(?m)^RestartPreventExitStatus=(.*)', text)[1].split()))


def normal(line):
    """Without what differs between runs."""
    return re.sub(r'/\S*?/host/', '~/', line)


def news(life, calm):
    """The messages that a life without a failure has not, each as often as it has more of it, by the reloads between.
    Debug lines come among them where LOGFILE cannot be written."""
    left, fresh, reloads = [normal(line) for line in calm.messages], [], 0
    marks = [life.said.get(before, 0) for before, step in zip(life.order, life.order[1:]) if 'reload' in step]
    for number, line in enumerate(map(normal, life.messages)):
        reloads = sum(mark and number >= mark for mark in marks)
        if line in left:
            left.remove(line)
        elif line.partition(': ')[2] not in calm.debug:
            fresh.append((reloads, line))
    return fresh


def broken(case, life, calm):
    """The rules that a life broke, each as (word, detail)."""
    if not life.hits:
        return [('missed', 'the call did not come')]
    kind, value = life.end
    if kind == 'hang':
        return [('hang', value)]
    if kind == 'killed':
        return [('signal', signal.Signals(value).name)]
    if kind != 'exit':
        return [('harness', f'{kind} {value}')]
    found = []
    if value not in documented_statuses('ksmtuned.8'):
        found.append(('status', f'{value} is not in the manual'))
    dated = news(life, calm)
    fresh = [line for _, line in dated]
    # The stream that the messages go to is the one that failed.
    is_mute = case.path == 'stderr'
    found += refused(case, life, value) if 'start' not in life.knobs else lived(case, life, calm, value, fresh, is_mute)
    found += [('repeated', line) for _, line in sorted({each for each in dated if dated.count(each) > 1})
              if re.search('cannot|could not|again|no effect|refused|lost|damaged|fail', line)]
    again = [n for n, line in enumerate(fresh) if re.search(r'\bagain\b', line) and not re.search('(deciding|trying|try) again', line)]
    found += [('again', fresh[n]) for n in again if not any(m not in again for m in range(n)) and not is_mute]
    if not (calm_files := set(calm.files)) >= set(life.files):
        left = [name for name in set(life.files) - calm_files if not is_excused(case, life, name)]
        found += [('left', name) for name in left]
    return [each for each in dict.fromkeys(found) if not is_known(case, each)]


def is_excused(case, life, name):
    """What cannot be removed is left: the call that removes it is the one that failed. So is the state, for the next
    daemon, where something could not be put back."""
    if name == 'run/ksmtuned/state' and any(re.search('leaving it as it is|not put back', line) for line in life.messages):
        return True
    return case.name.startswith('unlink') and case.path.endswith(name)


def is_known(case, each):
    return any(all(wanted is None or wanted == seen or hasattr(wanted, 'search') and wanted.search(str(seen))
                   for wanted, seen in zip(exception, (case.life, case.name, case.path, case.what, each[0])))
               for exception, _ in EXCEPTIONS)


def refused(case, life, status):
    """A start that failed."""
    found = []
    if status == 0:
        found.append(('status', '0 though it did not start'))
    if not life.messages:
        found.append(('silent', f'refused with {status}, and no message'))
    touched = [name for name, value in life.knobs['end'].items() if value != shown(life.found[name])]
    if touched:
        found.append(('touched', f'refused, and {" ".join(touched)} changed'))
    if case.what in TRANSIENT and status in not_restarted() and case.kind == 'once':
        found.append(('restart', f'{case.word} passes, and {status} is not restarted'))
    return found + [('left', name) for name in life.files if name.startswith(('run/', 'var/run/'))]


def shown(value):
    value = str(value)
    return re.search(r'\[(.*)\]', value)[1] if '[' in value else value


def lived(case, life, calm, status, fresh, is_mute):
    """A start that did not fail: the failure came later, or did not matter."""
    found, order = [], life.order
    hit = order.index(life.hit)
    if status != 0 or life.hit != 'end' and 'last' not in life.knobs:
        found.append(('died', f'exit status {status} after {list(life.knobs)[-2]}'))
        return found
    settled = order.index(case.until) if case.until in order else hit + 1
    # Right again from the next decision on; what the policy does itself by time is asked of its steps as a whole.
    for step in order[settled:-1]:
        wrong = differences(case, life, calm, step, order)
        if wrong:
            found.append(('next tick', f'{step}: {wrong}'))
            break
    if case.kind == 'once' and hit < len(order) - 1 and not is_mute:
        wrong = differences(case, life, calm, life.hit, order)
        before = life.said.get(order[hit - 1], 0) if hit else 0
        if wrong and not fresh:
            found.append(('silent', f'{life.hit}: {wrong}, and no message'))
    wrong = {name: f'{name}={value} not {shown(life.found[name])}' for name, value in life.knobs['end'].items()
             if value != shown(life.found[name])}
    text = '\n'.join(fresh)
    is_stopped = life.knobs['end']['run'] in ('0', '2')
    unnamed = [name for name in wrong if name not in text and not (name == 'run' and is_stopped and 'stop' in text)]
    # ksmd must not go on at a pace that nobody set; the settings are no matter of pace.
    runs_on = not is_stopped and set(wrong) - set(SETTINGS) and 'ksm/run' not in case.path
    if unnamed or runs_on:
        found.append(('restore', f'{"; ".join(wrong.values())}; ' + ('not named' if unnamed else 'named, and KSM runs')))
    if life.hit != 'end' and not case.until == 'end':
        mine, theirs = collections.Counter(life.descriptors), collections.Counter(calm.descriptors)
        if mine - theirs:
            found.append(('descriptor', ' '.join(mine - theirs)))
        if theirs - mine:
            found.append(('given up', ' '.join(theirs - mine)))
        if life.memory > calm.memory + MEMORY:
            found.append(('memory', f'{life.memory} KiB, not {calm.memory}'))
        last = life.states.get('last', '')
        # A value that could not be read before the first write is not known any more; one that was not changed need not be.
        lacking = {key for key in set(keys(calm.states['last'])) - set(keys(last))
                   if key not in FOUND_KNOBS or case.kind == 'once' and was_changed(FOUND_KNOBS[key], calm)}
        if lacking or not last.endswith('\n'):
            found.append(('state', f'lacks {sorted(lacking)}'))
        if life.silence > max(WATCHDOG, calm.silence) and case.kind == 'once':
            found.append(('watchdog', f'no sign of life for {life.silence:.0f} s'))
        if len(life.history) % 256 or not life.history:
            found.append(('history', f'{len(life.history)} bytes'))
    return found


def was_changed(knob, life):
    return any(knobs[knob] != shown(life.found[knob]) for knobs in life.knobs.values())


def keys(state):
    return re.findall(r'(?m)^(\w+)=', state)


def differences(case, life, calm, step, order):
    """Of the knobs after a step, as a sentence; of the adaptive policy only whether ksmd was let work and rests again,
    because its pace follows from all that it has seen."""
    mine, theirs = life.knobs.get(step), calm.knobs[step]
    if mine is None:
        return 'it was not alive'
    if life.policy != 'adaptive':
        # At a stop the pace is that of the last scan, whenever that was.
        names = [*mine] if theirs['run'] == '1' else ['run', *SETTINGS]
        # What the kernel refused of it is tried again after a minute.
        if 'ksmd' in names and step != 'last':
            names.remove('ksmd')
        return ', '.join(f'{name} {mine[name]} not {theirs[name]}' for name in names if mine[name] != theirs[name])
    before = order[max(order.index(step) - 1, 0)]
    worked = [each.passes[step] > each.passes.get(before, 0) for each in (life, calm)]
    return ', '.join([f'{name} {mine[name]} not {theirs[name]}' for name in ('run', *SETTINGS)
                      if mine[name] != theirs[name]]
                     + ([f'ksmd made {"a" if worked[0] else "no"} pass'] if worked[0] != worked[1] and 'quiet' != step else []))
