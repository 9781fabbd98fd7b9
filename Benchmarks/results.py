"""What came of the runs of `policies`: figures, tables, the bar, and files."""
import collections, csv, re, statistics
import plot
from runs import COLUMNS
from shared.kernel import MIB
from workloads import POLICIES, WORKLOADS, sized


# --- What came out ---------------------------------------------------------------------------------------------------

def first(samples, amount):
    return next((sample for sample in samples if sample['saved'] >= amount), None)


def at(samples, seconds):
    return min(samples, key=lambda sample: abs(sample['time'] - seconds))


def summarise(run, reachable):
    """The figures of one run; None where there is none."""
    samples, start, last = run.samples, run.samples[0], run.samples[-1]
    counted = [sample for sample in samples if sample['window']] or samples
    spent = lambda a, b: b['ksmd'] - a['ksmd']
    length = counted[-1]['time'] - counted[0]['time']
    result = dict(workload=run.workload, policy=run.policy, number=run.number, seconds=last['time'])
    for share in (50, 90, 95):
        there = first(samples, reachable * share / 100) if reachable else None
        result[f'to_{share}'] = there and there['time']
    result['cpu_to_95'] = spent(start, there) if there else None
    walked = [sample['mapped'] for sample in counted if sample['mapped'] is not None]
    result['mean_mib'] = statistics.mean(walked or [sample['saved'] for sample in counted]) / MIB
    result['counted_mib'] = statistics.mean(sample['saved'] for sample in counted) / MIB
    result['end_mib'] = last['saved'] / MIB
    result['reachable_mib'] = reachable and reachable / MIB
    result['mib_at_60'] = at(samples, 60)['saved'] / MIB if last['time'] >= 59 else None
    result['cpu'] = spent(start, last)
    result['cpu_minute'] = spent(counted[0], counted[-1]) * 60 / length if length else None
    result['cpu_last'] = spent(at(samples, last['time'] - 60), last) if last['time'] >= 60 else None
    times = [re.search(r'p50 ([\d.]+) p99 ([\d.]+)', text) for text in run.writes]
    times = [found for found in times if found and float(found[2])]
    result['p50'] = statistics.median(float(found[1]) for found in times) if times else None
    result['p99'] = statistics.median(float(found[2]) for found in times) if times else None
    result['daemon_percent'] = (last['daemon'] - start['daemon']) / last['time'] * 100 if last['daemon'] else None
    result['complaints'] = len(run.complaints)
    return result


def summaries(runs):
    """Those of all runs. What real guests can save is known by what scanning without pause reached."""
    reached = collections.defaultdict(list)
    for run in runs:
        if run.policy == 'no-sleep':
            reached[run.workload].append(max(sample['saved'] for sample in run.samples))
    return [summarise(run, run.mergeable or statistics.median(reached[run.workload] or [0])) for run in runs]


def by_policy(rows, workload):
    """{policy: rows} in the order of POLICIES."""
    groups = {name: [row for row in rows if (row['workload'], row['policy']) == (workload, name)] for name in POLICIES}
    return {name: group for name, group in groups.items() if group}


def median(rows, key):
    """Over the runs that have it; None where less than half of them do: most runs never got there."""
    values = [row[key] for row in rows if row[key] is not None]
    return statistics.median(values) if values and len(values) * 2 >= len(rows) else None


def cell(rows, key, digits, ranged=False):
    value = median(rows, key)
    if value is None:
        return '-'
    values = [row[key] for row in rows if row[key] is not None]
    text = f'{value:.{digits}f}'
    if ranged and len(values) > 1:
        text += f' ({min(values):.{digits}f}..{max(values):.{digits}f})'
    return text


TABLE = (('50 % s', 'to_50', 1, False), ('90 % s', 'to_90', 1, False), ('95 % s', 'to_95', 1, True),
         ('CPU s to 95 %', 'cpu_to_95', 2, True), ('mean MiB', 'mean_mib', 0, True), ('counted', 'counted_mib', 0, False),
         ('end MiB', 'end_mib', 0, False),
         ('CPU s/min', 'cpu_minute', 2, True), ('last min', 'cpu_last', 2, False), ('p99 us', 'p99', 1, False),
         ('daemon %', 'daemon_percent', 3, False))


def print_table(name, rows, options):
    workload, groups = sized(WORKLOADS[name], options), by_policy(rows, name)
    reachable = next((row['reachable_mib'] for row in rows if row['workload'] == name and row['reachable_mib']), None)
    known = f'{reachable:.0f} MiB can be saved' if reachable else 'what can be saved is not known without no-sleep'
    print(f'\n{name}: {workload.guests} guests of {workload.mib} MiB, {workload.about}; {known}; '
          f'{max(len(group) for group in groups.values())} run(s)')
    lines = [['policy', *(title for title, *_ in TABLE)]]
    for policy, group in groups.items():
        doubtful = ' (!)' if any(row['complaints'] for row in group) else ''
        lines.append([policy + doubtful, *(cell(group, *how) for _, *how in TABLE)])
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        print('  ' + line[0].ljust(widths[0]) + ''.join('  ' + text.rjust(width) for text, width in zip(line[1:], widths[1:])))


def bar(rows):
    """What adaptive has to reach: (workload, sentence, its figure, the limit, whether it passes)."""
    found = []

    def figure(workload, policy, key):
        return median(by_policy(rows, workload).get(policy, []), key)

    def check(workload, sentence, value, limit, passes=lambda value, limit: value <= limit, missing=None):
        if figure(workload, 'adaptive', 'seconds') is None:
            return
        value = missing if value is None else value
        ok = None if limit is None else value is not None and passes(value, limit)
        found.append((workload, sentence, value, limit, ok))

    def times(factor, value):
        return None if value is None else factor * value

    mine = lambda workload, key: figure(workload, 'adaptive', key)
    at_least = lambda value, limit: value >= limit
    check('storm', 's to 95 %, at most 1.25 x no-sleep', mine('storm', 'to_95'), times(1.25, figure('storm', 'no-sleep', 'to_95')))
    # Where a peer never got there, the length of its run stands for it.
    never = lambda policy: figure('storm', policy, 'to_95') or figure('storm', policy, 'seconds')
    check('storm', 's to 95 %, at most a tenth of original', mine('storm', 'to_95'), times(.1, never('original')))
    check('storm', 's to 95 %, less than advisor-20', mine('storm', 'to_95'), never('advisor-20'), lambda a, b: a < b)
    cheapest = [value for policy in POLICIES if policy != 'adaptive' and (value := figure('storm', policy, 'cpu_to_95'))]
    check('storm', 'CPU s to 95 %, at most 1.05 x the cheapest', mine('storm', 'cpu_to_95'), times(1.05, min(cheapest, default=None)))
    check('idle', 'CPU s/min, at most 0.05', mine('idle', 'cpu_minute'), .05)
    check('busy', 'CPU s/min, at most a tenth of advisor-20', mine('busy', 'cpu_minute'), times(.1, figure('busy', 'advisor-20', 'cpu_minute')))
    for workload, saved, share in (('churn', .97, 1 / 4), ('volatile', .95, 1 / 6), ('real-busy', .95, 1 / 10)):
        check(workload, f'mean MiB, at least {saved:.0%} of no-sleep', mine(workload, 'mean_mib'),
              times(saved, figure(workload, 'no-sleep', 'mean_mib')), at_least)
        check(workload, f'CPU s/min, at most 1/{1 / share:.0f} of no-sleep', mine(workload, 'cpu_minute'),
              times(share, figure(workload, 'no-sleep', 'cpu_minute')))
    check('real', 'MiB after 60 s, at least 98 % of no-sleep', mine('real', 'mib_at_60'), times(.98, figure('real', 'no-sleep', 'mib_at_60')), at_least)
    check('real', 'CPU s, at most a fifth of advisor-20', mine('real', 'cpu'), times(.2, figure('real', 'advisor-20', 'cpu')))
    check('real', 'CPU s of the last minute, at most 0.3', mine('real', 'cpu_last'), .3)
    for workload in WORKLOADS:
        check(workload, "the daemon's own CPU in %, at most 0.1", mine(workload, 'daemon_percent'), .1)
    return found


def print_bar(rows):
    lines = bar(rows)
    if not lines:
        return
    print('\nThe bar: adaptive, and what it has to reach')
    show = lambda value: 'never' if value is None else f'{value:.3g}' if value < 100 else f'{value:.0f}'
    for workload, sentence, value, limit, ok in lines:
        verdict = 'not known: the other policy was not run' if ok is None else 'pass' if ok else 'MISS'
        print(f'  {workload:<10} {sentence:<45} {show(value):>7}  {show(limit) if limit is not None else "":>7}  {verdict}')


# --- Files -----------------------------------------------------------------------------------------------------------

def write_csv(path, rows, columns):
    with open(path, 'w', newline='') as f:
        writer = csv.DictWriter(f, columns, extrasaction='ignore')
        writer.writeheader()
        for row in rows:
            writer.writerow({name: f'{value:.6g}' if isinstance(value, float) and abs(value) < 1e6 else value
                             for name, value in row.items()})


def read_csv(path):
    number = lambda text: None if text == '' else float(text) if re.fullmatch(r'-?[\d.]+(e[+-]?\d+)?', text) else text
    with open(path, newline='') as f:
        return [{name: number(text) for name, text in row.items()} for row in csv.DictReader(f)]


def write_results(out, runs, earlier):
    """samples.csv, summary.csv and plot.svg; gives the rows of the summary, those of an earlier result included."""
    rows = summaries(runs)
    if rows:
        write_csv(out / 'samples.csv', (sample for run in runs for sample in run.samples), COLUMNS)
        write_csv(out / 'summary.csv', rows, rows[0].keys())
    done = {(run.workload, run.policy) for run in runs}
    old_rows, old_samples = earlier
    rows = rows + [row for row in old_rows if (row['workload'], row['policy']) not in done]
    samples = [sample for run in runs for sample in run.samples]
    samples += [sample for sample in old_samples if (sample['workload'], sample['policy']) not in done]
    if samples:
        plot.draw(samples, out / 'plot.svg')
    return rows


