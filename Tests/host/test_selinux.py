"""The SELinux module of packaging/selinux: that it compiles, that each rule has its reason, and what it adds to the
reference policy, row by row of its README. It is not enforced here: that takes a kernel with SELinux switched on."""
import os, pathlib, re, subprocess
import pytest
from shared.needs import Missing, need_programs
from shared.packages import unpacked
from shared.processes import capture
from shared.tested import TOP

FOLDER = TOP / 'packaging/selinux'
NAME = 'ksmtuned_additions'
TE, FC, README = (FOLDER / name for name in (f'{NAME}.te', f'{NAME}.fc', 'README.md'))
UNIT = (TOP / 'systemd/ksmtuned.service').read_text()
BOOLEAN = 'ksmtuned_sets_pressure_trigger'
STATEMENT = re.compile(r'^\s*(allow|bool|type|typeattribute|optional|if)\b', re.M)
# Administration tools lie where only root's PATH looks.
os.environ['PATH'] += ':/usr/sbin:/sbin'


def run(*command):
    status, printed = capture(command)
    assert status == 0, f'{command[0]}: {printed}'
    return printed


# --- The module by itself ------------------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def package(tmp_path_factory):
    """The compiled module."""
    need_programs('checkmodule:checkpolicy', 'semodule_package:semodule-utils')
    folder = tmp_path_factory.mktemp('module')
    printed = run('checkmodule', '-M', '-m', '-o', folder / f'{NAME}.mod', TE)
    assert 'warning' not in printed.lower(), printed
    run('semodule_package', '-o', folder / f'{NAME}.pp', '-m', folder / f'{NAME}.mod', '-f', FC)
    return folder / f'{NAME}.pp'


def test_it_compiles_to_a_package(package):
    assert package.stat().st_size > 1000


def without_comments(text):
    return re.sub(r'#.*', '', text)


def test_what_is_required_is_used_and_what_is_used_is_required_or_declared():
    """A type that is required and not used would keep the module from a policy that lacks it, for nothing."""
    text = without_comments(TE.read_text())
    blocks = re.findall(r'require\s*\{(.*?)\n\s*\}', text, re.S)
    rules = re.sub(r'require\s*\{.*?\n\s*\}', '', text, flags=re.S)
    required = {name for block in blocks for _, names in re.findall(r'\b(type|attribute)\s+([^;]*);', block)
                for name in re.findall(r'\w+', names)}
    declared = set(re.findall(r'^\s*type (\w+);', rules, re.M))
    used = {name for line in re.findall(r'\b(?:allow|typeattribute)\s+([^;:]*)', rules)
            for name in re.findall(r'\w+', line)} - {'self'}
    assert used == required | declared

    permissions = {}
    for kind, names in re.findall(r'\bclass\s+(\w+)\s+([^;]*);', ' '.join(blocks)):
        permissions[kind] = set(re.findall(r'\w+', names))
    wanted = {}
    for kind, names in re.findall(r'\ballow\s[^;:]*:(\w+)\s+([^;]*);', rules):
        wanted.setdefault(kind, set()).update(re.findall(r'\w+', names))
    assert wanted == permissions


def test_each_rule_has_its_reason():
    """Each paragraph with a statement begins with a comment, and that names a file, a setting or a line of the unit."""
    settings = set(re.findall(r'\.Cm (KSM_\w+)', (TOP / 'man/ksmtuned.conf.5').read_text()))
    body = re.sub(r'^require \{.*?\n\}', '', TE.read_text(), flags=re.S | re.M)
    paragraphs = [paragraph for paragraph in re.split(r'\n\s*\n', body)
                  if STATEMENT.search(without_comments(paragraph))]
    assert len(paragraphs) > 5
    for paragraph in paragraphs:
        lines = [line.strip() for line in paragraph.splitlines()]
        comment = ' '.join(line for line in lines if line.startswith('#'))
        assert lines[0].startswith('#'), f'no reason: {paragraph}'
        named = re.findall(r'/(?:proc|var|run|sys)/\w+', comment)
        for setting in re.findall(r'\b(KSM_\w+)=', comment):
            assert setting in settings, f'{setting} is no setting: {paragraph}'
            named.append(setting)
        for line in re.findall(r'\b([A-Z][a-zA-Z]+=\w*)', comment):
            if not line.startswith('KSM'):
                assert f'\n{line}' in UNIT, f'{line} is not in ksmtuned.service: {paragraph}'
                named.append(line)
        assert named, f'the reason names nothing that the daemon uses: {paragraph}'


def test_the_labels_are_for_the_folders_of_the_unit():
    found = dict(line.split('\t') for line in FC.read_text().splitlines())
    state, runtime = (re.search(fr'^{name}=(.*)$', UNIT, re.M)[1] for name in ('StateDirectory', 'RuntimeDirectory'))
    # RHEL 9 calls /run /var/run before it looks.
    assert found == {
        f'/var/lib/{state}(/.*)?': 'system_u:object_r:ksmtuned_history_t:s0',
        f'/run/{runtime}(/.*)?': 'system_u:object_r:ksmtuned_var_run_t:s0',
        f'/var/run/{runtime}(/.*)?': 'system_u:object_r:ksmtuned_var_run_t:s0'}
    paths = (TOP / 'Sources/HostKernel/Files/HostPaths.swift').read_text()
    for path in f'/var/lib/{state}/history', f'/run/{runtime}/state':
        assert f'"{path}"' in paths


# --- The module in the reference policy ------------------------------------------------------------------------------

class Policy:
    """A linked policy."""

    def __init__(self, setools, path):
        self.setools, self.policy = setools, setools.SELinuxPolicy(str(path))
        self.types = {str(each) for each in self.policy.types()} | {
            str(alias) for each in self.policy.types() for alias in each.aliases()}

    def rules(self, **limits):
        return self.setools.TERuleQuery(self.policy, ruletype=['allow'], **limits).results()

    def allowed(self, source, target, kind):
        """The permissions that are always there, and those of the module's own boolean, which is on."""
        found = set()
        for rule in self.rules(source=source, target=target, tclass=[kind]):
            if condition(rule) in (None, BOOLEAN):
                found |= set(map(str, rule.perms))
        return found

    def every(self):
        """Each single permission of ksmtuned_t, and each to start it."""
        return {(str(rule.source), str(rule.target), str(rule.tclass), str(name))
                for limits in (dict(source='ksmtuned_t'), dict(target='ksmtuned_t', tclass=['process2']))
                for rule in self.rules(**limits) for name in rule.perms}


def condition(rule):
    try:
        return str(rule.conditional)
    except AttributeError:
        return None


@pytest.fixture(scope='module')
def policies(package, tmp_path_factory):
    """Debian's reference policy, base and ksmtuned, without and with the module; fetched from the machine's mirror."""
    need_programs('bunzip2:bzip2', 'secilc')
    try:
        import setools
    except ImportError:
        raise Missing('no module setools here (package python3-setools)') from None
    compiler = next((path for path in map(pathlib.Path, ('/usr/libexec/selinux/hll/pp', '/usr/lib/selinux/hll/pp'))
                     if path.exists()), None)
    if not compiler:
        raise Missing('no selinux/hll/pp here (package policycoreutils)')
    folder = tmp_path_factory.mktemp('policy')
    unpacked('selinux-policy-default', folder)

    def intermediate(name, binary):
        with open(folder / f'{name}.cil', 'wb') as f:
            subprocess.run([compiler], input=binary, stdout=f, check=True)
        return folder / f'{name}.cil'

    def shipped(name):
        path = folder / f'usr/share/selinux/default/{name}.pp.bz2'
        return subprocess.run(['bunzip2', '-c', path], capture_output=True, check=True).stdout

    base = intermediate('base', shipped('base'))
    # Without users, whose roles come from modules that are not loaded here, and with the label that only newer ones
    # have.
    lines = [line for line in base.open() if not line.startswith('(selinuxuser')]
    if '(type proc_psi_t)\n' not in lines:
        lines += ['(type proc_psi_t)\n', '(roletype object_r proc_psi_t)\n']
    base.write_text(''.join(lines))
    parts = [base, intermediate('ksmtuned', shipped('ksmtuned'))]
    found = []
    for name, added in ('without', []), ('with', [intermediate(NAME, package.read_bytes())]):
        run('secilc', '-M', '1', '-c', '33', '-N', '-o', folder / name, '-f', folder / 'contexts', *parts, *added)
        found.append(Policy(setools, folder / name))
    return found


def rows():
    """Each row of the README's table: what, source, target, class, permissions, and by whom it is allowed."""
    section = README.read_text().partition('## What the daemon touches')[2].partition('\n## ')[0]
    table = re.findall(r'^\| (.+?) \| ([^|]+) \| ([^|]+) \| (policy|module|either) \|$', section, re.M)
    assert len(table) == len(re.findall(r'^\|', section, re.M)) - 2, 'a row of the README is not understood'
    for what, label, permissions, by in table:
        name = re.search(r'`(\w+)`', label)[1]
        source, target = (name, 'ksmtuned_t') if label.startswith('from') else ('ksmtuned_t', name)
        target = 'ksmtuned_t' if target == 'self' else target
        for kind, many, one in re.findall(r'`(\w+) (?:\{ ([\w ]+) \}|(\w+))`', permissions):
            yield what, source, target, kind, set((many or one).split()), by


def test_each_row_of_the_readme_is_true(policies):
    without, added = policies
    wrong = []
    for what, source, target, kind, permissions, by in rows():
        rule = f'{what} ({source} {target}:{kind})'
        if denied := permissions - added.allowed(source, target, kind):
            wrong.append(f'{rule}: denied {denied}')
        if target not in without.types:
            continue                            # the module's own
        alone = without.allowed(source, target, kind)
        if by == 'policy' and not permissions <= alone:
            wrong.append(f'{rule}: the policy does not allow {permissions - alone} by itself')
        if by == 'module' and permissions & alone:
            wrong.append(f'{rule}: the policy allows {permissions & alone} without the module')
    assert not wrong, '\n'.join(wrong)


def test_the_module_adds_nothing_that_the_readme_does_not_have(policies):
    without, added = policies
    documented = {(source, target, kind, name) for _, source, target, kind, names, by in rows() if by != 'policy'
                  for name in names}
    assert added.every() - without.every() <= documented
