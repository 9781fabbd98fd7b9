#!/usr/bin/env python3
"""Draws a result of `policies`: for each workload saved memory over time, and below it ksmd's CPU time.

    plot.py FOLDER          samples.csv there becomes plot.svg
"""
import csv, math, pathlib, sys

WIDTH, LEFT, RIGHT, TOP = 1200, 80, 210, 60
SAVED, GAP, CPU, BELOW = 300, 30, 180, 70          # heights
LEAST = .1                                          # CPU seconds, where the logarithmic axis begins
COLORS = {'none': '#cccccc', 'kernel': '#999999', 'no-sleep': '#56b4e9', 'original': '#8b5a2b', 'boosted': '#d2a679',
          'proxmox': '#cc79a7', 'advisor': '#f0c000', 'advisor-20': '#e69f00', 'classic': '#009e73',
          'adaptive': '#d00000'}


def grouped(samples):
    """{workload: {policy: [(time, MiB, CPU seconds)]}}, of several runs the one with the middle saving."""
    runs = {}
    for sample in samples:
        key = sample['workload'], sample['policy'], float(sample['number'])
        runs.setdefault(key, []).append([float(sample[name]) for name in ('time', 'saved', 'ksmd')])
    found = {}
    for (workload, policy, _), rows in runs.items():
        line = [(time, saved / (1 << 20), ksmd - rows[0][2]) for time, saved, ksmd in rows]
        found.setdefault(workload, {}).setdefault(policy, []).append(line)
    middle = lambda lines: sorted(lines, key=lambda line: sum(mib for _, mib, _ in line) / len(line))[len(lines) // 2]
    return {workload: {policy: middle(lines) for policy, lines in policies.items()} for workload, policies in found.items()}


def ticks(most, count):
    """Round numbers from zero to about `most`."""
    rough = max(most, 1e-9) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(n * power for n in (1, 2, 5, 10) if n * power >= rough)
    return [n * step for n in range(math.ceil(most / step) + 1)]


def text(x, y, words, anchor='middle', more=''):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{words}</text>'


def line(x1, y1, x2, y2, color):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}"/>'


def chart(top, height, title, times, values, lines, x_of, y_of, label):
    """Axes, grid and lines of one chart."""
    right, bottom = WIDTH - RIGHT, top + height
    svg = [text(22, top + height / 2, title, more=f'transform="rotate(-90 22 {top + height / 2:.1f})"')]
    for value in values:
        y = y_of(value)
        svg += [line(LEFT, y, right, y, '#dddddd'), text(LEFT - 8, y + 4, label(value), 'end')]
    for time in times:
        svg += [line(x_of(time), top, x_of(time), bottom, '#eeeeee'), text(x_of(time), bottom + 16, f'{time:g}')]
    svg += [line(LEFT, top, LEFT, bottom, '#333333'), line(LEFT, bottom, right, bottom, '#333333')]
    for policy, points in lines.items():
        every = max(1, len(points) // 800)
        drawn = ' '.join(f'{x_of(x):.1f},{y_of(y):.1f}' for x, y in points[::every] + points[-1:])
        svg.append(f'<polyline points="{drawn}" fill="none" stroke="{COLORS.get(policy, "#333333")}" '
                   f'stroke-width="{3 if policy == "adaptive" else 1.8}" stroke-linejoin="round"/>')
    return svg


def panel(top, workload, policies):
    right = WIDTH - RIGHT
    longest = max(points[-1][0] for points in policies.values())
    times = [time for time in ticks(longest, 12) if time <= longest]
    x_of = lambda time: LEFT + (right - LEFT) * time / longest

    saved = ticks(max(1, *(mib for points in policies.values() for _, mib, _ in points)) * 1.02, 6)
    saved_top = top + TOP
    saved_y = lambda mib: saved_top + SAVED * (1 - mib / saved[-1])
    svg = [text(LEFT, top + TOP - 16, workload, 'start', 'font-size="20" font-weight="bold"')]
    svg += chart(saved_top, SAVED, 'saved, MiB', times, saved,
                 {policy: [(time, mib) for time, mib, _ in points] for policy, points in policies.items()},
                 x_of, saved_y, lambda mib: f'{mib:g}')

    spent = max(points[-1][2] for points in policies.values())
    decades = max(1, math.ceil(math.log10(max(spent, LEAST * 10) / LEAST)))
    cpu_top = saved_top + SAVED + GAP
    cpu_y = lambda cpu: cpu_top + CPU * (1 - math.log10(max(cpu, LEAST) / LEAST) / decades)
    svg += chart(cpu_top, CPU, 'ksmd CPU so far, s', times, [LEAST * 10 ** n for n in range(decades + 1)],
                 {policy: [(time, cpu) for time, _, cpu in points] for policy, points in policies.items()},
                 x_of, cpu_y, lambda cpu: f'{cpu:g}')
    svg.append(text((LEFT + right) / 2, cpu_top + CPU + 38, 'seconds since the guests started'))

    for n, policy in enumerate(policies):
        y = saved_top + 10 + 24 * n
        svg.append(f'<line x1="{right + 20}" y1="{y}" x2="{right + 50}" y2="{y}" '
                   f'stroke="{COLORS.get(policy, "#333333")}" stroke-width="{5 if policy == "adaptive" else 3}"/>')
        svg.append(text(right + 58, y + 5, policy, 'start'))
    return svg


def draw(samples, path):
    workloads = grouped(samples)
    each = TOP + SAVED + GAP + CPU + BELOW
    svg = []
    for n, (workload, policies) in enumerate(workloads.items()):
        ordered = {policy: policies[policy] for policy in sorted(policies, key=(list(COLORS) + list(policies)).index)}
        svg += panel(n * each, workload, ordered)
    height = each * len(workloads)
    pathlib.Path(path).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="14" fill="#222222">\n<rect width="100%" height="100%" fill="white"/>\n'
        + '\n'.join(svg) + '\n</svg>\n')


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(f'{sys.argv[1]}/samples.csv', newline='') as f:
        draw(csv.DictReader(f), f'{sys.argv[1]}/plot.svg')
