#!/usr/bin/env python3
"""Draws the picture of the README from a result of `policies`: memory saved over time, by each policy.

    picture.py FOLDER FILE          of the workload storm in samples.csv there

The background is the reader's, and the colours follow a light or a dark one.
"""
import csv, pathlib, sys
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from plot import grouped, ticks

WORKLOAD = 'storm'
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BELOW = 860, 360, 70, 240, 46, 52
# Policy: its name in the picture, its class of colour.
POLICIES = {'adaptive': ('adaptive', 'adaptive'), 'original': ('the original script', 'original'),
            'advisor': ("the kernel's advisor", 'advisor'), 'classic': ('classic', 'classic'),
            'kernel': ("the kernel's defaults", 'kernel')}
# Of a light background, and of a dark one: each with a contrast of at least 3 to white or to GitHub's dark grey.
COLOURS = {'ink': ('#1f2328', '#e6edf3'), 'grid': ('#d0d7de', '#30363d'), 'adaptive': ('#cf222e', '#ff7b72'),
           'original': ('#8b5a2b', '#d2a679'), 'advisor': ('#0969da', '#58a6ff'), 'classic': ('#1a7f37', '#3fb950'),
           'kernel': ('#6e7781', '#8b949e')}
# Pixels between two names at the right.
LINE = 17


def style():
    def rules(which):
        ink, grid = COLOURS['ink'][which], COLOURS['grid'][which]
        lines = ''.join(f'.{name} {{ stroke: {pair[which]} }} text.{name} {{ fill: {pair[which]}; stroke: none }} '
                        for name, pair in COLOURS.items() if name not in ('ink', 'grid'))
        return f'text {{ fill: {ink} }} .axis {{ stroke: {ink} }} .grid {{ stroke: {grid} }} {lines}'
    return (f'<style>\ntext {{ font: 13px sans-serif }} polyline {{ fill: none; stroke-width: 2; stroke-linejoin: round }} '
            f'polyline.adaptive {{ stroke-width: 3 }}\n{rules(0)}\n@media (prefers-color-scheme: dark) {{ {rules(1)} }}\n</style>')


def spread(names):
    """(y, name, class) so that no two names overlap."""
    placed = []
    for y, *rest in sorted(names):
        placed.append((max(y, placed[-1][0] + LINE) if placed else y, *rest))
    return placed


def draw(policies):
    right, bottom = WIDTH - RIGHT, HEIGHT - BELOW
    longest = max(points[-1][0] for points in policies.values())
    values = ticks(max(mib for points in policies.values() for _, mib, _ in points) / 1024, 5)
    x_of = lambda time: LEFT + (right - LEFT) * time / longest
    y_of = lambda gib: bottom - (bottom - TOP) * gib / values[-1]

    def text(x, y, words, anchor='middle', more=''):
        return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{words}</text>'
    svg = [text(LEFT, 20, 'Memory that merging saves, 8 guests of 512 MiB start at once', 'start',
                ' style="font-size: 15px; font-weight: bold"'),
           text((LEFT + right) / 2, HEIGHT - 10, 'seconds since the guests started'),
           text(18, (TOP + bottom) / 2, 'saved, GiB', more=f' transform="rotate(-90 18 {(TOP + bottom) / 2})"')]
    for value in values:
        svg += [f'<line class="grid" x1="{LEFT}" y1="{y_of(value):.1f}" x2="{right}" y2="{y_of(value):.1f}"/>',
                text(LEFT - 8, y_of(value) + 4, f'{value:g}', 'end')]
    for time in (time for time in ticks(longest, 6) if time <= longest):
        svg += [f'<line class="axis" x1="{x_of(time):.1f}" y1="{bottom}" x2="{x_of(time):.1f}" y2="{bottom + 5}"/>',
                text(x_of(time), bottom + 20, f'{time:g}')]
    svg.append(f'<line class="axis" x1="{LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>')
    names = []
    for policy, points in policies.items():
        name, colour = POLICIES[policy]
        drawn = ' '.join(f'{x_of(time):.1f},{y_of(mib / 1024):.1f}' for time, mib, _ in points)
        svg.append(f'<polyline class="{colour}" points="{drawn}"/>')
        names.append((y_of(points[-1][1] / 1024) + 4, f'{name}, {points[-1][2]:.1f} CPU s', colour))
    svg += [text(right + 8, y, name, 'start', f' class="{colour}"') for y, name, colour in spread(names)]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
            f'viewBox="0 0 {WIDTH} {HEIGHT}">\n{style()}\n' + '\n'.join(svg) + '\n</svg>\n')


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(f'{sys.argv[1]}/samples.csv', newline='') as f:
        found = grouped(csv.DictReader(f)).get(WORKLOAD, {})
    known = {policy: found[policy] for policy in POLICIES if policy in found}
    if not known:
        sys.exit(f'{sys.argv[1]}/samples.csv has no samples of the workload {WORKLOAD}')
    pathlib.Path(sys.argv[2]).write_text(draw(known))
