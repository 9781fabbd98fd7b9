"""The packages of `make packages`: what is in them, what their tools say of them, and that they agree with each other.
That they replace each other on a running host is for the cases of test_e2e.py, make check-e2e ARGS='-k packages'."""
import json, os, pathlib, re, shutil, tarfile
import pytest
from shared.debs import BUILT, OLDER, built
from shared.needs import need, need_programs, need_root
from shared.processes import capture
from shared.tested import TOP

# Administration tools lie where only root's PATH looks.
os.environ['PATH'] += ':/usr/sbin:/sbin'
VERSION = re.search(r'programVersion = "(.*)"', (TOP / 'Sources/HostKernel/Version.swift').read_text())[1]
CONFIGURATION = {'etc/ksmtuned.conf', 'etc/default/ksm', 'etc/logrotate.d/ksmtuned'}
PROFILE = TOP / 'packaging/apparmor/usr.sbin.ksmtuned'
UNIT = (TOP / 'systemd/ksmtuned.service').read_text()


def run(*command, **settings):
    status, printed = capture(command, **settings)
    assert status == 0, f'{" ".join(map(str, command))}:\n{printed}'
    return printed


def one(pattern):
    found = sorted(BUILT.glob(pattern))
    need(found, f'no {pattern} in .build/packages: build it first (make packages)')
    assert len(found) == 1, f'more than one: {found}'
    return found[0]


def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob('*') if not path.is_dir()}


@pytest.fixture(scope='module')
def deb(tmp_path_factory):
    """The Debian package's files."""
    folder = tmp_path_factory.mktemp('deb')
    run('dpkg-deb', '-R', built(), folder)
    return folder


@pytest.fixture(scope='module')
def rpm(tmp_path_factory):
    """The RPM's files."""
    need_programs('rpm', 'rpm2cpio', 'cpio')
    folder = tmp_path_factory.mktemp('rpm')
    run('sh', '-c', f'rpm2cpio {one(f"ksmtuned-{VERSION}-1*.rpm")} | cpio -id --quiet', cwd=folder)
    return folder


def unpack(path, folder):
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        archive.extractall(folder)
    return members


@pytest.fixture(scope='module')
def bindist(tmp_path_factory):
    """The folder that the archive of the programs holds."""
    folder = tmp_path_factory.mktemp('bindist')
    unpack(one(f'ksmtuned-{VERSION}-linux-*.tar.gz'), folder)
    return folder / f'ksmtuned-{VERSION}-linux-{os.uname().machine}'


# --- The version -----------------------------------------------------------------------------------------------------

def test_the_changelog_has_the_version():
    assert re.search(fr'(?m)^## {re.escape(VERSION)} - \d{{4}}-\d\d-\d\d$', (TOP / 'CHANGELOG.md').read_text())


def test_every_package_and_program_has_the_version(deb, rpm, bindist):
    assert run('dpkg-deb', '-f', built(), 'Version').strip() == f'1:{VERSION}'
    assert run('rpm', '-qp', '--qf', '%{EPOCH}:%{VERSION}', one(f'ksmtuned-{VERSION}-1*.rpm')) == f'1:{VERSION}'
    for folder in deb / 'usr', rpm / 'usr', bindist / 'files/usr/local':
        assert run(folder / 'sbin/ksmtuned', '--version') == f'ksmtuned {VERSION}\n'
        assert run(folder / 'sbin/ksmctl', '--version') == f'{VERSION}\n'


def test_debian_takes_it_for_newer_than_its_own_and_for_newer_than_the_version_before():
    version = run('dpkg-deb', '-f', built(), 'Version').strip()
    for older in '4.20150326+b1', OLDER:
        run('dpkg', '--compare-versions', version, 'gt', older)


# --- What is in them -------------------------------------------------------------------------------------------------

def test_all_of_them_have_what_make_install_installs(deb, rpm, bindist, tmp_path):
    folder = tmp_path / 'a folder with blanks'
    run('make', '-s', '-C', TOP, 'install', f'DESTDIR={folder}', 'PREFIX=/usr')
    installed = files_below(folder)
    assert len(installed) > 25
    units = {path.replace('usr/lib/systemd', 'lib/systemd').replace('zsh/site-functions', 'zsh/vendor-completions')
             for path in installed}
    there = {path.replace('usr/lib/systemd', 'lib/systemd').removesuffix('.gz') for path in files_below(deb)}
    assert units <= there
    assert {path.replace('etc/default/', 'etc/sysconfig/') for path in installed} <= \
        {path.removesuffix('.gz') for path in files_below(rpm)}
    assert {path.replace('usr/', 'usr/local/') for path in installed} == files_below(bindist / 'files')


def test_uninstall_removes_what_install_installs(tmp_path):
    folder = tmp_path / 'a folder with blanks'
    for target in 'install', 'uninstall':
        run('make', '-s', '-C', TOP, target, f'DESTDIR={folder}', 'PREFIX=/usr')
    assert files_below(folder) == set() and (folder / 'usr/sbin').is_dir()


def test_the_pages_of_the_readme_are_there(deb, rpm, bindist):
    """What else it links to, it says where to find."""
    # Where an RPM has its pages is for the system that builds it to say.
    (readme,) = [path for path in (rpm / 'usr/share/doc').rglob('README.md') if path.parent.name.startswith('ksmtuned')]
    for folder in deb / 'usr/share/doc/ksmtuned', readme.parent, bindist:
        linked = set(re.findall(r'\]\((docs/[^)#]+|[A-Z]+\.md)[)#]', (folder / 'README.md').read_text()))
        linked -= {'CONTRIBUTING.md'}
        assert {'CHANGELOG.md', 'docs/migration.md', 'docs/saved.svg'} <= linked
        assert {link for link in linked if not (folder / link).is_file()} == set()
        pages = list((folder / 'docs').glob('*.md'))
        assert len(pages) > 5
        for page in pages:
            linked = set(re.findall(r'\]\(([\w-]+\.(?:md|svg))[)#]', page.read_text()))
            assert {link for link in linked if not (page.parent / link).is_file()} == set(), page


def test_configuration_is_marked_as_such(deb):
    conffiles = set((deb / 'DEBIAN/conffiles').read_text().split())
    assert conffiles == {f'/{path}' for path in CONFIGURATION | {'etc/apparmor.d/usr.sbin.ksmtuned'}}
    need_programs('rpm')
    package = one(f'ksmtuned-{VERSION}-1*.rpm')
    flags = dict(line.split(' ') for line in run('rpm', '-qp', '--qf', r'[%{FILENAMES} %{FILEFLAGS:fflags}\n]', package)
                 .splitlines() if not line.endswith(' '))
    noreplace = {path for path, flag in flags.items() if flag == 'cn'}
    assert noreplace == {f'/{path}'.replace('/default/', '/sysconfig/') for path in CONFIGURATION}


def test_units_name_the_place_of_the_programs(deb, rpm, bindist):
    for folder, sbin in ((deb, '/usr/sbin'), (rpm, '/usr/sbin'), (bindist / 'files', '/usr/local/sbin')):
        units = [path for path in folder.rglob('*.service') if path.is_file()]
        assert len(units) == 3
        for unit in units:
            started = re.findall(r'(?m)^Exec(?:Start|Stop)=(\S+)', unit.read_text())
            assert started
            for program in started:
                assert os.path.dirname(program) == sbin and (folder / program[1:]).exists()


def test_nothing_in_them_can_be_written_by_others_or_belongs_to_a_user(deb):
    listed = run('dpkg-deb', '-c', built()).splitlines()
    assert len(listed) > 40
    for line in listed:
        mode, owner = line.split()[:2]
        assert owner == 'root/root' and mode[5] == '-' and mode[8] == '-', line
    for path in (f'ksmtuned-{VERSION}.tar.gz', f'ksmtuned-{VERSION}-linux-*.tar.gz'):
        with tarfile.open(one(path)) as archive:
            for member in archive.getmembers():
                assert member.uid == member.gid == 0 and (member.issym() or not member.mode & 0o022), member.name


# --- The programs ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('name', ['ksmtuned', 'ksmctl'])
def test_the_programs_are_stripped_and_hardened(deb, name):
    need_programs('readelf:binutils')
    program = deb / 'usr/sbin' / name
    sections = run('readelf', '-SW', program)
    assert '.symtab' not in sections and '.debug_info' not in sections
    assert 'GNU_RELRO' in run('readelf', '-lW', program)
    dynamic = run('readelf', '-dW', program)
    assert 'BIND_NOW' in dynamic
    assert '.note.gnu.build-id' in sections
    stack = re.search(r'GNU_STACK.*', run('readelf', '-lW', program))[0]
    assert ' RW ' in stack
    # The daemon has a fixed address on purpose, see Package.swift.
    kind = re.search(r'Type:\s+(\w+)', run('readelf', '-h', program))[1]
    assert kind == {'ksmtuned': 'EXEC', 'ksmctl': 'DYN'}[name]
    needed = set(re.findall(r'NEEDED.*\[(.*)\]', dynamic))
    assert not {library for library in needed if re.search('swift|Foundation|stdc', library)}


@pytest.mark.parametrize('name', ['ksmtuned', 'ksmctl'])
def test_no_path_of_the_build_is_in_the_programs(deb, name):
    content = (deb / 'usr/sbin' / name).read_bytes()
    for path in (TOP, BUILT, pathlib.Path.home() / '.cache'):
        assert os.fsencode(path) + b'/' not in content


# --- What their tools say --------------------------------------------------------------------------------------------

def test_lintian_finds_nothing():
    need_programs('lintian')
    # It is judged by what it prints: with overrides shown, it fails by one of an error.
    options = '--allow-root', '--show-overrides', '--fail-on', 'none', '--tag-display-limit', '0'
    found = run('lintian', *options, built())
    assert re.findall(r'(?m)^[EW]: .*', found) == []
    # An override for what is not there any more would hide the next one.
    assert sorted(re.findall(r'(?m)^O: \S+: (\S+)', found)) == ['diversion-for-unknown-file', 'hardening-no-pie']


def test_an_rpm_in_a_folder_with_blanks_is_refused_with_the_reason(tmp_path):
    need_programs('rpmbuild:rpm')
    out = tmp_path / 'out'
    status, printed = capture([TOP / 'packaging/build-rpm', VERSION, tmp_path / 'a folder', out, tmp_path / 'none'])
    assert status == 1 and 'with blanks in its name' in printed
    assert not out.exists() and not (tmp_path / 'a folder').exists()


def test_rpmlint_finds_nothing():
    need_programs('rpmlint')
    spec = TOP / '.build/packaging/rpm/SPECS/ksmtuned.spec'
    found = run('rpmlint', '-c', TOP / 'packaging/rpm/rpmlint.toml', one(f'ksmtuned-{VERSION}-1*.rpm'), spec)
    assert '0 errors, 0 warnings' in found, found


def test_blhc_finds_nothing_in_the_log_of_the_build():
    need_programs('blhc')
    log = BUILT / 'deb.log'
    need(log.exists(), 'no deb.log in .build/packages: build it first (make deb)')
    status, printed = capture(['blhc', '--all', log])
    # 1: no compiler was called. Swift's is none that it knows; the flags are those of Package.swift, seen above.
    assert status in (0, 1), printed


def test_logrotate_takes_the_entry(deb):
    need_programs('logrotate')
    said = run('logrotate', '--debug', '--state', '/dev/null', deb / 'etc/logrotate.d/ksmtuned')
    assert 'error' not in said.lower(), said
    assert '/var/log/ksmtuned' in said


def test_an_upgrade_restarts_the_daemon_and_leaves_the_scan_alone(deb, rpm):
    """A stop or restart of ksm.service ends the scan, and the daemon with it."""
    after = (deb / 'DEBIAN/postinst').read_text()
    assert re.search(r"_dh_action=restart.*?\$_dh_action 'ksmtuned.service'", after, re.S)
    assert re.findall(r"deb-systemd-invoke (\S+) 'ksm.service'", after) == ['start']
    for name in 'prerm', 'preinst':
        script = deb / 'DEBIAN' / name
        for line in script.read_text().splitlines() if script.exists() else []:
            assert not line.startswith('if') or '"$1" = remove' in line, f'{name}: {line}'
    scripts = run('rpm', '-qp', '--scripts', one(f'ksmtuned-{VERSION}-1*.rpm'))
    assert re.findall(r'try-restart (.*?) \|\|', scripts) == ['ksmtuned.service']


def test_the_rpm_keeps_a_changed_configuration_and_leaves_it_behind(tmp_path):
    need_root()
    need_programs('rpm')
    package = one(f'ksmtuned-{VERSION}-1*.rpm')
    # Dependencies and scripts are for a system that has a shell.
    options = '--root', tmp_path, '--nodeps', '--noscripts'
    run('rpm', *options, '-i', package)
    configuration = tmp_path / 'etc/ksmtuned.conf'
    assert configuration.read_text() == (TOP / 'etc/ksmtuned.conf').read_text()
    configuration.write_text('KSM_THRES_COEF=30\n')
    run('rpm', *options, '-U', '--replacepkgs', package)
    assert configuration.read_text() == 'KSM_THRES_COEF=30\n'
    run('rpm', *options, '-e', 'ksmtuned')
    assert (tmp_path / 'etc/ksmtuned.conf.rpmsave').read_text() == 'KSM_THRES_COEF=30\n'
    left = {path for path in files_below(tmp_path) if 'ksm' in path}
    assert left == {'etc/ksmtuned.conf.rpmsave'}


# --- The archives ----------------------------------------------------------------------------------------------------

def test_the_source_archive_is_the_commit(tmp_path):
    need_programs('git')
    status, printed = capture(['git', '-C', TOP, 'ls-tree', '-r', '--name-only', 'HEAD'])
    need(status == 0, 'this is no git tree')
    unpack(one(f'ksmtuned-{VERSION}.tar.gz'), tmp_path)
    assert files_below(tmp_path / f'ksmtuned-{VERSION}') == set(printed.splitlines())


def test_the_install_script_installs_keeps_a_changed_configuration_and_removes(bindist, tmp_path):
    environment = {**os.environ, 'DESTDIR': str(tmp_path)}
    record = 'usr/local/share/ksmtuned/folders'
    said = run(bindist / 'install', env=environment)
    # What is active is not started again.
    assert 'systemctl enable --now ksm ksmtuned' in said and 'on an upgrade: systemctl daemon-reload && systemctl restart' in said
    assert files_below(tmp_path) == files_below(bindist / 'files') | {record}
    for name in files_below(bindist / 'files'):
        assert (tmp_path / name).stat().st_mode == (bindist / 'files' / name).stat().st_mode, name
    configuration = tmp_path / 'etc/ksmtuned.conf'
    configuration.write_text('KSM_THRES_COEF=30\n')
    run(bindist / 'install', env=environment)
    assert configuration.read_text() == 'KSM_THRES_COEF=30\n'
    assert (tmp_path / 'etc/ksmtuned.conf.new').read_text() == (TOP / 'etc/ksmtuned.conf').read_text()
    run(bindist / 'install', '--remove', env=environment)
    assert files_below(tmp_path) == {'etc/ksmtuned.conf'}
    status, printed = capture([bindist / 'install', '--delete'], env=environment)
    assert status == 64 and 'usage' in printed
    (tmp_path / 'part').mkdir()
    shutil.copy(bindist / 'install', tmp_path / 'part')
    status, printed = capture([tmp_path / 'part/install'], env=environment)
    assert status == 66 and 'unpack the whole archive' in printed
    assert files_below(tmp_path) == {'etc/ksmtuned.conf', 'part/install'}


def test_the_install_script_takes_a_relative_folder(bindist, tmp_path):
    for options, left in ((), files_below(bindist / 'files') | {'usr/local/share/ksmtuned/folders'}), (('--remove',), set()):
        run(bindist / 'install', *options, env={**os.environ, 'DESTDIR': 'a folder'}, cwd=tmp_path)
        assert files_below(tmp_path / 'a folder') == left
    assert not (bindist / 'files/a folder').exists()


def test_the_install_script_removes_the_folders_that_it_made_and_no_other(bindist, tmp_path):
    environment = {**os.environ, 'DESTDIR': str(tmp_path)}
    others = [tmp_path / name for name in ('usr/local/share', 'usr/local/share/fish', 'etc')]
    for folder in others:
        folder.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        run('sh', '-c', 'umask 077; exec "$0"', bindist / 'install', env=environment)
    made = {path for path in tmp_path.rglob('*') if path.is_dir()} - {*others, tmp_path / 'usr', tmp_path / 'usr/local'}
    assert len(made) > 10
    assert {path.stat().st_mode & 0o777 for path in made} == {0o755}
    (tmp_path / 'usr/local/lib/somebody.so').touch()
    for _ in range(2):
        run(bindist / 'install', '--remove', env=environment)
    assert {path for path in tmp_path.rglob('*')} == \
        {*others, *(tmp_path / name for name in ('usr', 'usr/local', 'usr/local/lib', 'usr/local/lib/somebody.so'))}


# --- AppArmor --------------------------------------------------------------------------------------------------------

def test_the_parser_of_apparmor_takes_the_profile(deb):
    need_programs('apparmor_parser:apparmor')
    need(os.path.exists('/etc/apparmor.d/abi/3.0'), 'no abstractions here (package apparmor)')
    # Judged by what AppArmor 3.0 knows, and not by this kernel, which may have none.
    run('apparmor_parser', '--skip-kernel-load', '--skip-cache', '-M', '/etc/apparmor.d/abi/3.0', '--warn=all', '--Werror',
        deb / 'etc/apparmor.d/usr.sbin.ksmtuned')


def test_the_profile_is_for_the_service_alone():
    """By hand, --root, --config and --check-config take any path."""
    name = re.search(r'(?m)^profile (\w+) flags=\(attach_disconnected\) \{$', PROFILE.read_text())[1]
    assert f'\nAppArmorProfile=-{name}\n' in UNIT


def test_the_profile_writes_where_the_unit_may():
    writable = re.search(r'(?m)^ReadWritePaths=(.*)$', UNIT)[1].replace('-/', '/').split()
    writable += [f'/var/lib/{re.search("(?m)^StateDirectory=(.*)$", UNIT)[1]}', '/proc/pressure']
    rules = re.findall(r'(?m)^  (?:@\{\w+\}|/)\S* \w*w\w*,$', PROFILE.read_text())
    assert len(rules) >= 6
    for rule in rules:
        path = rule.split()[0].replace('@{sys}', '/sys').replace('@{run}', '/run').replace('@{PROC}', '/proc')
        assert any(path.startswith(place) for place in writable), rule
    assert UNIT.count('ReadWritePaths=') - UNIT.count('a ReadWritePaths= line') == 1


# --- A release -------------------------------------------------------------------------------------------------------

def test_a_version_without_a_changelog_is_not_released(tmp_path):
    status, printed = capture([TOP / 'tools/release-check', '9.9.9', tmp_path / 'packages'])
    assert status == 1 and "no heading '## 9.9.9 - YYYY-MM-DD'" in printed
    assert not (tmp_path / 'packages').exists()


@pytest.mark.parametrize('unreleased, trial, refused', [
    ('', False, False), ('## Unreleased\n\n', False, False), ('## Unreleased\n\n### Fixes\n\n- One.\n\n', False, True),
    ('## Unreleased\n\n- One.\n\n', True, False)])
def test_changes_that_are_in_no_version_are_not_released_but_for_a_trial(tmp_path, unreleased, trial, refused):
    need_programs('git')
    (tmp_path / 'tools').mkdir()
    shutil.copy(TOP / 'tools/release-check', tmp_path / 'tools')
    (tmp_path / 'CHANGELOG.md').write_text(f'# Changelog\n\n{unreleased}## 1.2.3 - 2026-01-02\n\n- All.\n')
    run('git', 'init', '-q', tmp_path)
    options = ['--trial'] if trial else []
    status, printed = capture([tmp_path / 'tools/release-check', *options, '1.2.3', tmp_path / 'packages'])
    # The next question, whether all is committed, ends it here.
    assert status == 1
    assert ("changes under '## Unreleased'" in printed) == (refused or trial)
    assert ('TRIAL=1' in printed) == refused
    assert ('what is not committed' in printed) == (not refused)


def test_the_bill_of_materials_names_what_is_linked_in():
    need_programs(os.environ.get('SWIFT', 'swift'))
    command = TOP / 'tools/make-sbom', VERSION, '0', built()
    printed = run(*command)
    assert printed == run(*command), 'not the same twice'
    document = json.loads(printed)
    versions = {entry['name']: entry.get('versionInfo') for entry in document['packages']}
    pins = json.loads((TOP / 'Package.resolved').read_text())['pins']
    assert versions['ksmtuned'] == VERSION and pins
    for pin in pins:
        assert versions[pin['identity']] == pin['state']['version']
    assert {'swift-standard-library', 'libstdc++', 'glibc', 'libsystemd'} <= set(versions)
    assert [entry['fileName'] for entry in document['files']] == [f'./{built().name}']
    # Each relation is between things that are there.
    there = {entry['SPDXID'] for entry in document['packages'] + document['files']} | {'SPDXRef-DOCUMENT'}
    for relation in document['relationships']:
        assert {relation['spdxElementId'], relation['relatedSpdxElement']} <= there
