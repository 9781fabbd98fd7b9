"""Random configurations of random hosts, whose states lie on and one KiB beside each comparison's edge as well as anywhere."""
import random, re

LOG = '/run/oracle.log'
# mawk, which the original sums with on Debian, prints sums of 2^31 KiB and above as '2.14748e+09', and bash stops there.
MAWK = 2**31 - 1

DEFAULTS = dict(KSM_SLEEP_MSEC=10, KSM_NPAGES_BOOST=300, KSM_NPAGES_DECAY=-50, KSM_NPAGES_MIN=64,
                KSM_NPAGES_MAX=1250, KSM_THRES_COEF=20, KSM_THRES_CONST=2048)


class Case:
    """One configuration on one host, and the states it goes through."""

    def __init__(self, seed, number, ticks):
        self.number, r = number, random.Random(f'{seed}/{number}')
        self.total = host_size(r)
        values = dict(DEFAULTS)
        for name in DEFAULTS:
            if r.random() < .6:
                values[name] = setting(r, name, self.total)
        if values['KSM_NPAGES_BOOST'] > 0 and r.random() < .7:    # boosts and decays that end on or beside a limit
            values['KSM_NPAGES_MAX'] = min(values['KSM_NPAGES_BOOST'], 5000) * r.choice([1, 1, 1, 2, 3]) + r.choice([-1, -1, 0, 1])
            low = values['KSM_NPAGES_MAX'] + values['KSM_NPAGES_DECAY'] * r.randrange(1, 4) + r.choice([-1, 0, 1])
            values['KSM_NPAGES_MIN'] = max(low, 0)
        self.threshold = max(self.total * values['KSM_THRES_COEF'] // 100, values['KSM_THRES_CONST'])
        self.environment = {}
        self.text = write_configuration(r, values, self.environment)
        self.states = write_states(r, self.total, self.threshold, ticks)
        if any(state.startswith('total=') for state in self.states[1:]):
            # Where memory is added the daemon follows it, but for the profiles that are exactly a variant's. The
            # original does not know the name.
            self.environment['KSM_PROFILE'] = 'debian'

    def describe(self):
        text = ''.join(f'    | {line}\n' for line in self.text.split('\n'))
        environment = ''.join(f'    environment: {k}={v}\n' for k, v in self.environment.items())
        return f'    total {self.total} KiB, threshold {self.threshold} KiB\n{environment}{text}'


def host_size(r):
    """From 512 MiB to just under 2 TiB, round or not: all remainders by the page size occur."""
    size = int(2 ** r.uniform(19, 31))
    if r.random() < .3:
        size = r.choice([1, 2, 4, 16, 64, 256, 1024]) << 20
    return min(max(size + r.choice([0, 0, 1, 2, 3, -1, -4, r.randrange(4096)]), 1 << 19), MAWK)


def setting(r, name, total):
    one = r.randrange(1, 5000)
    return r.choice(dict(
        KSM_SLEEP_MSEC=[0, 1, 9, 10, 11, 20, 100, 5000, one],
        KSM_NPAGES_BOOST=[0, 1, 50, 300, -1, -300, 10**9, one, one],
        KSM_NPAGES_DECAY=[0, 0, 1, 50, -1, -50, -300, -10**9, -one, -one, one],
        KSM_NPAGES_MIN=[0, 0, 1, 64, 1250, 1251, one, one],
        KSM_NPAGES_MAX=[0, 1, 63, 64, 65, 1250, 4000, 100_000, 100_001, 2**32 - 1, one, one],
        KSM_THRES_COEF=[0, 1, 19, 20, 50, 99, 100, 101, 250, 500, r.randrange(101)],
        # Also on and beside the share of the total that it is compared with at the default percentage.
        KSM_THRES_CONST=[0, 1, 2048, 2**50, total, total // 2, total // 5, total // 5 + 1, total // 5 - 1, r.randrange(total)],
    )[name])


def write_configuration(r, values, environment):
    """The settings as people, editors and provisioning tools write them; what bash makes of each is the same."""
    name_of = iter(['X', '_a', 'PAGES', 'Name2', 'LIMIT', 'y_', 'HALF', 'KSMISH'])

    def number(value):
        return f'+{value}' if value >= 0 and r.random() < .12 else str(value)

    def lines_for(name, value):
        """One or more lines at whose end name has that value, or its default if that is the value and it is lucky."""
        lines, text = [], number(value)
        if r.random() < .15:                                  # the last assignment wins
            lines.append(f'{name}={r.randrange(1, 999)}')
        form = r.random()
        if value == DEFAULTS.get(name) and form < .5:         # an empty value means the default
            return lines + [r.choice([f'{name}=', f'{name}=""', f"export {name}=''"])]
        if form < .30:
            lines.append(f'{name}={text}')
        elif form < .42:
            lines.append(r.choice([f'{name}="{text}"', f"{name}='{text}'"]))
        elif form < .52:
            lines.append(f'export {name}={text}')
        elif form < .62:
            lines.append(r.choice([f'{name}={text} # was 7', f'\t {name}={text}\t#KSM_NPAGES_MAX=3', f'{name}={text};']))
        elif form < .72 and (other := next(name_of, None)):   # $NAME of an earlier key
            lines += [f'{other}={text}', name + r.choice(['=$', '="$']) + other]
            lines[-1] += '"' if '"' in lines[-1] else ''
        elif form < .80 and (other := next(name_of, None)):
            cut = r.randrange(len(text))                      # export expands all its words before it assigns any
            lines += r.choice([[f'{other}="{text}" {name}=${{{other}}}'],
                               [f'{other}={text}', f'export {other}=3 {name}=${other}'],
                               [f"{other}='{text[:cut]}'", f'{name}=${{{other}}}{text[cut:]}']])
        elif form < .86 and len(text) > 1:                    # one word from pieces
            cut = r.randrange(1, len(text))
            lines.append(name + r.choice(['={}"{}"', "='{}'{}", '="{}"\'{}\'', '={}\\\n{}', '={}""{}']).format(text[:cut], text[cut:]))
        elif form < .92:                                      # lines that bash makes nothing of
            lines += [f'{name}={text}', r.choice([f'{name} = 17', f'{name}= 17', f'{name} =17'])]
        elif name in DEFAULTS and not lines:                  # from the environment, which counts below the file
            environment[name] = text
        else:
            lines.append(f'  {name}={text}  ')
        if name in DEFAULTS and lines and r.random() < .1:
            environment[name] = str(r.randrange(1, 999))
        return lines

    blocks = [lines_for(name, value) for name, value in values.items() if value != DEFAULTS[name] or r.random() < .3]
    blocks += [[r.choice(['DEBUG=1', 'DEBUG=0', 'export DEBUG=no', 'DEBUG="yes, please"'])],
               [r.choice([f'LOGFILE={LOG}', f'LOGFILE="{LOG}"', f"D='/run'; LOGFILE=$D/oracle.log"])],
               [f'KSM_MONITOR_INTERVAL={r.choice(["86400", "1d", "24h", "1440m", "99999s", "86400.5"])}'],
               ['KSM_FIRST_DECISION=interval'],               # ours; without it, it would decide at start as well,
               ['KSM_RETUNE_ON_GUESTS=no'], ['KSM_PRESSURE=off']]        # and when this machine's own guests start
    if r.random() < .4:
        blocks.append([f'KSM_PROFILE={r.choice(["debian", "upstream"])}'])
    for text in ('# a comment', '', '\t', "# don't: $(false) `false` \"", '#KSM_NPAGES_MAX=1', 'SOMETHING_ELSE="a b"'):
        if r.random() < .4:
            blocks.append([text])
    r.shuffle(blocks)
    # Neighbours on one line, where neither has a comment, a continuation or a line that bash makes nothing of.
    joinable = re.compile(r'(export )?\w+=[^\s#;\\]*')
    lines = []
    for line in (line for block in blocks for line in block):
        if lines and r.random() < .25 and joinable.fullmatch(line) and joinable.fullmatch(lines[-1]):
            plain = 'export' not in line and 'export' not in lines[-1]
            lines[-1] += r.choice([' ', ';', ' ; ', '; '] if plain else [';', '; ']) + line
            joinable = re.compile(r'(export )?\w+=[^\s#;\\]*([; ]+(export )?\w+=[^\s#;\\]*)*')
        else:
            lines.append(line)
    return '\n'.join(lines) + r.choice(['\n', '\n', '\n\n', ''])


def write_states(r, total, threshold, ticks):
    """Memory states in runs, as loads go: some ticks short of memory, some with many guests, some at ease."""
    lines, regime = [], r.choice(['shortage', 'any'])
    for tick in range(ticks):
        if r.random() < .3:
            regime = r.choice(['shortage', 'shortage', 'guests', 'ease', 'any'])
        edge = r.choice([0, 0, 1, -1, r.randrange(-4, 5)])
        beside = threshold + edge                             # free memory on or one beside the threshold
        free = {'shortage': r.choice([beside - 1, threshold - 1, r.randrange(threshold + 1), 0]),
                'guests': r.choice([beside, threshold, threshold + 1, r.randrange(total)]),
                'ease': r.choice([beside, threshold + 1, max(threshold, r.randrange(total))]),
                'any': r.choice([beside, r.randrange(total)])}[regime]
        to_edge = total - threshold                           # committed memory at which the scan starts
        # The kernel counts resident memory in pages, so of the KiB beside an edge each configuration has its own four.
        pages = r.choice([-1, 0, 0, 1])
        committed = {'shortage': r.choice([to_edge // 4 + pages, r.randrange(total) // 4]),
                     'guests': r.choice([to_edge // 4 + pages, total // 4, r.randrange(total) // 4]),
                     'ease': r.choice([to_edge // 4 + pages, to_edge // 8, 0]),
                     'any': r.choice([to_edge // 4 + pages, r.randrange(total + total // 8) // 4])}[regime]
        free, committed = min(max(free, 0), MAWK), min(max(committed, 0), MAWK // 4)
        guests = r.randrange(0 if committed == 0 else 1, 7)
        cuts = sorted(r.randrange(committed + 1) for _ in range(guests - 1))
        sizes = [4 * (b - a) for a, b in zip([0, *cuts], [*cuts, committed])] if guests else []
        buffers = r.choice([0, r.randrange(free + 1)])
        cached = r.choice([0, free - buffers, r.randrange(free - buffers + 1)])
        words = [f'free={free - buffers - cached}', f'buffers={buffers}', f'cached={cached}',
                 'committed=' + ','.join(map(str, sizes)), f'SwapCached={r.choice([0, r.randrange(9999)])}']
        if tick == 0:
            words.insert(0, f'total={total}')
        elif r.random() < .03:                                # memory added while running: read once, at start
            words.insert(0, f'total={total + r.choice([-4096, 4096, total // 2])}')
        lines.append(' '.join(words))
    return lines
