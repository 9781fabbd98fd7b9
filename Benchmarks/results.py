"""What came of the runs of `policies`: figures, tables, and files. bar.py says what they have to be."""
import collections, csv, itertools, re, statistics
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
    for seconds in (30, 60):
        result[f'mib_at_{seconds}'] = at(samples, seconds)['saved'] / MIB if last['time'] >= seconds - 1 else None
    result['cpu'] = spent(start, last)
    result['cpu_second'] = spent(at(samples, 60), at(samples, 120)) if last['time'] >= 119 else None
    result['cpu_minute'] = spent(counted[0], counted[-1]) * 60 / length if length else None
    result['cpu_last'] = spent(at(samples, last['time'] - 60), last) if last['time'] >= 60 else None
    times = [re.search(r'p50 ([\d.]+) p99 ([\d.]+)', text) for text in run.writes]
    times = [found for found in times if found and float(found[2])]
    result['p50'] = statistics.median(float(found[1]) for found in times) if times else None
    result['p99'] = statistics.median(float(found[2]) for found in times) if times else None
    result['daemon_percent'] = (last['daemon'] - start['daemon']) / last['time'] * 100 if last['daemon'] else None
    result['complaints'] = len(run.complaints)
    result['co_runner'] = run.co_runner
    for window, line in itertools.zip_longest(('starting', 'converged'), run.latencies):
        found = dict(re.findall(r'([a-z][\w.]*) ([\d.]+)', line or ''))
        for name in ('count', 'p50', 'p99', 'p99.9'):
            result[f'{window}_{name}'] = float(found[name]) if float(found.get('count', 0)) else None
    return result


def summaries(runs):
    """Those of all runs. What real guests can save is known by what scanning without pause reached."""
    reached = collections.defaultdict(list)
    for run in runs:
        if run.policy == 'no-sleep':
            reached[run.workload].append(max(sample['saved'] for sample in run.samples))
    most = {workload: statistics.median(values) for workload, values in reached.items()}
    return [summarise(run, most.get(run.workload) if run.mergeable is None else run.mergeable) for run in runs]


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


# Title, key, digits, whether least and most are shown.
TABLE = (('50 % s', 'to_50', 1, False), ('90 % s', 'to_90', 1, False), ('95 % s', 'to_95', 1, True),
         ('CPU s to 95 %', 'cpu_to_95', 2, True), ('mean MiB', 'mean_mib', 0, True),
         ('counted', 'counted_mib', 0, False), ('end MiB', 'end_mib', 0, False), ('CPU s', 'cpu', 1, True),
         ('CPU s/min', 'cpu_minute', 2, True), ('last min', 'cpu_last', 2, False), ('p99 us', 'p99', 1, False),
         ('daemon %', 'daemon_percent', 3, False))
CO_RUNNER = tuple((f'{window} {name}', f'{window}_{name}', 0, name == 'p99')
                  for window in ('starting', 'converged') for name in ('count', 'p50', 'p99', 'p99.9'))


def print_columns(groups, columns):
    lines = [['policy', *(title for title, *_ in columns)]]
    for policy, group in groups.items():
        doubtful = ' (!)' if any(row['complaints'] for row in group) else ''
        lines.append([policy + doubtful, *(cell(group, *how) for _, *how in columns)])
    widths = [max(map(len, column)) for column in zip(*lines)]
    for policy, *cells in lines:
        print('  '.join(['', policy.ljust(widths[0]), *map(str.rjust, cells, widths[1:])]))


def print_table(name, rows, options):
    workload, groups = sized(WORKLOADS[name], options), by_policy(rows, name)
    reachable = [row['reachable_mib'] for group in groups.values() for row in group]
    reachable = next((mib for mib in reachable if mib is not None), None)
    known = ('what can be saved is not known without no-sleep' if reachable is None else
             f'{reachable:.0f} MiB can be saved')
    print(f'\n{name}: {workload.described()}, {workload.about}; {known}; '
          f'{max(len(group) for group in groups.values())} run(s)')
    print_columns(groups, TABLE)
    if options.co_runner:
        print(f'  beside a {options.co_runner} co-runner, latency in us:')
        print_columns(groups, CO_RUNNER)


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


def read_earlier(folder, co_runner):
    """The rows of an earlier summary, and its samples, as far as they were taken beside the same co-runner."""
    rows, samples = (read_csv(folder / name) for name in ('summary.csv', 'samples.csv'))
    rows = [row for row in rows if (row.get('co_runner') or '') == co_runner]
    kept = {(row['workload'], row['policy']) for row in rows}
    return rows, [sample for sample in samples if (sample['workload'], sample['policy']) in kept]


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


