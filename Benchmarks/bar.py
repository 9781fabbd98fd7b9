"""What the adaptive policy has to reach, as rows of a workload, a figure and its limit."""
from results import by_policy, median
from workloads import POLICIES, WORKLOADS

# Workload: the share of no-sleep's mean saving that it has to have, and that of its CPU time that this may take.
PER_MINUTE = {'churn': (.97, 1 / 4), 'volatile': (.95, 1 / 6), 'real-busy': (.95, 1 / 10)}
CHANGING = ('in-place', 'give-take', 'mixed', 'hundred', 'slow-filler', 'hot')
WHOLE_RUN = dict({name: (.92, 1 / 4) for name in CHANGING}, **{'real-files': (.92, 1 / 5)})
# Who is for the saving what no-sleep is for speed.
PEERS = ('advisor-20', 'boosted')


def at_most(value, limit):
    return value <= limit


def at_least(value, limit):
    return value >= limit


def below(value, limit):
    return value < limit


def times(factor, value):
    return None if value is None else factor * value


class Bar:
    """The rows, made from those of a summary: (workload, sentence, adaptive's figure, the limit, whether it passes)."""

    def __init__(self, rows):
        self.rows, self.found = rows, []

    def figure(self, workload, policy, key):
        return median(by_policy(self.rows, workload).get(policy, []), key)

    def mine(self, workload, key):
        return self.figure(workload, 'adaptive', key)

    def check(self, workload, sentence, value, limit, passes=at_most):
        """Adds a row, where adaptive was run under that workload. A figure that it has not never passes."""
        if self.mine(workload, 'seconds') is not None:
            ok = None if limit is None else value is not None and passes(value, limit)
            self.found.append((workload, sentence, value, limit, ok))

    def compare(self, workload, sentence, key, factor, policy, passes=at_most):
        """A row that holds adaptive against what another policy has of the same."""
        limit = times(factor, self.figure(workload, policy, key))
        self.check(workload, sentence, self.mine(workload, key), limit, passes)

    def check_saving(self):
        self.compare('storm', 's to 95 %, at most 1.25 x no-sleep', 'to_95', 1.25, 'no-sleep')
        # Where a peer never got there, the length of its run stands for it.
        never = lambda policy: self.figure('storm', policy, 'to_95') or self.figure('storm', policy, 'seconds')
        mine = self.mine('storm', 'to_95')
        self.check('storm', 's to 95 %, at most a tenth of original', mine, times(.1, never('original')))
        self.check('storm', 's to 95 %, less than advisor-20', mine, never('advisor-20'), below)
        spent = [self.figure('storm', policy, 'cpu_to_95') for policy in POLICIES if policy != 'adaptive']
        self.check('storm', 'CPU s to 95 %, at most 1.05 x the cheapest', self.mine('storm', 'cpu_to_95'),
                   times(1.05, min(filter(None, spent), default=None)))
        self.check('idle', 'CPU s/min, at most 0.05', self.mine('idle', 'cpu_minute'), .05)
        self.compare('busy', 'CPU s/min, at most a tenth of advisor-20', 'cpu_minute', .1, 'advisor-20')
        for table, key, unit in ((PER_MINUTE, 'cpu_minute', 'CPU s/min'), (WHOLE_RUN, 'cpu', 'CPU s')):
            for workload, (saved, share) in table.items():
                self.compare(workload, f'mean MiB, at least {saved:.0%} of no-sleep', 'mean_mib', saved, 'no-sleep',
                             at_least)
                self.compare(workload, f'{unit}, at most 1/{1 / share:.0f} of no-sleep', key, share, 'no-sleep')
        for workload in CHANGING:
            for peer in PEERS:
                self.compare(workload, f'mean MiB, no less than {peer}', 'mean_mib', 1, peer, at_least)
        self.compare('unique', 'CPU s, at most a fifth of advisor-20', 'cpu', .2, 'advisor-20')
        for seconds, share in ((30, .85), (60, .98)):
            self.compare('real', f'MiB after {seconds} s, at least {share:.0%} of no-sleep', f'mib_at_{seconds}', share,
                         'no-sleep', at_least)
        self.compare('real', 'CPU s, at most a fifth of advisor-20', 'cpu', .2, 'advisor-20')
        self.check('real', 'CPU s of the second minute, at most 0.3', self.mine('real', 'cpu_second'), .3)
        self.check('real', 'CPU s of the last minute, at most 0.3', self.mine('real', 'cpu_last'), .3)
        for workload in WORKLOADS:
            self.check(workload, "the daemon's own CPU in %, at most 0.1", self.mine(workload, 'daemon_percent'), .1)

    def check_neighbour(self):
        for workload in WORKLOADS:
            for window, factor in (('starting', 1.2), ('converged', 1.02)):
                key = f'{window}_p99'
                self.compare(workload, f'p99 us, {window}, at most {factor:g} x none', key, factor, 'none')
                for peer in ('no-sleep', 'advisor-20'):
                    self.compare(workload, f'p99 us, {window}, below {peer}', key, 1, peer, below)


def bar(rows, co_runner=''):
    """All rows of what was run. Beside a co-runner only what it feels counts: it changes all other figures."""
    found = Bar(rows)
    found.check_neighbour() if co_runner else found.check_saving()
    return sorted(found.found, key=lambda row: list(WORKLOADS).index(row[0]))


def print_bar(rows, co_runner=''):
    lines = bar(rows, co_runner)
    if not lines:
        return
    print(f'\nThe bar: adaptive, and what it has to reach{f" beside a {co_runner} co-runner" if co_runner else ""}')
    show = lambda value: 'never' if value is None else f'{value:.3g}' if value < 100 else f'{value:.0f}'
    for workload, sentence, value, limit, ok in lines:
        verdict = 'not known: the other policy was not run' if ok is None else 'pass' if ok else 'MISS'
        limited = '' if limit is None else show(limit)
        print(f'  {workload:<11} {sentence:<45} {show(value):>7}  {limited:>7}  {verdict}')
