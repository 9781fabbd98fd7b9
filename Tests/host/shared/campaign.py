"""Many cases side by side, what became of each in a log, and tables of the whole."""
import collections, concurrent.futures, dataclasses, hashlib, json, os, pathlib, re, traceback
from .faultcases import Case


def digest(*programs):
    """Of a build: what is known of another is not taken over."""
    whole = hashlib.sha256()
    for program in programs:
        whole.update(pathlib.Path(program).read_bytes())
    return whole.hexdigest()[:16]


class Campaign:
    """Cases that are run once for a build, each with the rules that it broke; the log makes it go on where it was ended."""

    def __init__(self, build, log=None, jobs=2):
        self.build, self.jobs, self.results, self.known = build, jobs, [], {}
        self.log = None
        if log:
            os.makedirs(os.path.dirname(log), exist_ok=True)
            with open(log, 'a+') as f:
                f.seek(0)
                for line in f:
                    if line.endswith('\n') and (entry := json.loads(line))['build'] == build:
                        self.known[entry['case']] = entry['broken']
            self.log = open(log, 'a')

    def run(self, cases, one):
        """`one` returns the rules that a case broke. Those of all cases are returned, as (case, rules)."""
        def try_one(case):
            # The programs lie in another folder each time.
            name = re.sub(r'ksmtuned-programs\.\w+', 'ksmtuned-programs', repr(dataclasses.astuple(case)))
            if name in self.known:
                return case, [tuple(each) for each in self.known[name]]
            try:
                broken = one(case)
                # What a life does repeats to the byte. A time limit that does not is the machine's.
                if any(word == 'hang' for word, _ in broken):
                    broken = one(case)
            except Exception:
                broken = [('harness', traceback.format_exc())]
            if self.log:
                self.log.write(json.dumps(dict(build=self.build, case=name, broken=broken)) + '\n')
                self.log.flush()
            return case, broken
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            results = list(pool.map(try_one, cases))
        self.results += results
        return results

    def tables(self):
        """Lives, their steps and what came of the cases; then calls and errors."""
        steps, calls = collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter)
        for case, broken in self.results:
            steps[case.life, f'{case.step}, lasting' if case.kind == 'lasting' else case.step].update(
                sorted({word for word, _ in broken}) or ['right'])
            calls[case.name][case.word] += 1
        yield f'{len(self.results)} failures, {sum(not broken for _, broken in self.results)} of them right'
        for (life, step), verdicts in steps.items():
            yield f'{life:>30}  {step:<24} ' + '  '.join(f'{word} {n}' for word, n in sorted(verdicts.items(), key=str))
        for name, words in sorted(calls.items()):
            yield f'{name:>30}  ' + '  '.join(f'{word} {n}' for word, n in words.items())


def report(results, limit=40):
    """Of what broke a rule: alike ones once, with one that can be repeated."""
    alike = collections.defaultdict(list)
    for case, broken in results:
        for word, detail in broken:
            alike[word, case.name, case.path, case.word].append((case, detail))
    lines = []
    for (word, *_), found in alike.items():
        case, detail = found[0]
        lines.append(f'{word}: {case}: {detail}' + (f' (and {len(found) - 1} like it)' if len(found) > 1 else ''))
    return lines[:limit] + ([f'… and {len(lines) - limit} more kinds'] if len(lines) > limit else [])
