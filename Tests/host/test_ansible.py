"""The Ansible role: linted, and played against this machine in a mount namespace whose changes are thrown away. Nothing is
started there, since no service manager is; the units are enabled, which is files."""
import json, os, platform, shutil, subprocess
import pytest
from shared.needs import Missing, need, need_root
from shared.tested import TOP, need_namespaces

FOLDER = TOP / 'packaging/ansible'
# An overlay of this machine's root, and the command in it. /sys is read-only, so that no play can reach KSM.
WORLD = '''set -e
mount -t tmpfs ksmtuned "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" ksmtuned "$1/root"
mount --rbind /proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount --bind /sys "$1/root/sys"
mount -o remount,bind,ro "$1/root/sys"
mount -t tmpfs ksmtuned "$1/root/run"
mkdir -p "$1/root/srv/play"
mount --bind "$2" "$1/root/srv/play"
mount --rbind "$3" "$1/root/mnt"
world=$1
shift 3
exec chroot "$world/root" "$@"
'''
SETTINGS = {'KSM_POLICY': 'adaptive', 'KSM_CPU_MAX': 40, 'KSM_GUEST_PATTERN': '^(qemu-.*|my vmm)$', 'KSM_USE_ZERO_PAGES': True}
ENABLED = 'etc/systemd/system/multi-user.target.wants'


@pytest.fixture(scope='module')
def ansible():
    """The folder of ansible-playbook."""
    found = shutil.which('ansible-playbook')
    need(found, 'no ansible-playbook here (pip install ansible-core)')
    return os.path.dirname(found)


@pytest.fixture(scope='module')
def package(request, programs, tmp_path_factory):
    """What is installed: --package, or a binary archive of the programs under test."""
    if given := request.config.option.package:
        return given
    script = TOP / 'packaging/build-bindist'
    need(script.exists(), 'no packaging/build-bindist here, and no --package')
    version = subprocess.run([programs.daemon, '--version'], capture_output=True, text=True).stdout.split()[-1]
    programs.ksmctl
    # Its folders are below the tree's.
    work = tmp_path_factory.mktemp('bindist')
    folders = [os.path.relpath(work / name, TOP) for name in ('work', 'out')]
    subprocess.run([script, version, *folders, programs.folder], check=True, capture_output=True)
    (archive,) = (work / 'out').glob(f'*-linux-{platform.machine()}.tar.gz')
    return archive


def test_ansible_lint_finds_nothing():
    need(shutil.which('ansible-lint'), 'no ansible-lint here (pip install ansible-lint)')
    finished = subprocess.run(['ansible-lint', '--offline', '--profile', 'production', '--nocolor', FOLDER],
                              capture_output=True, text=True, cwd=FOLDER)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert 'Passed: 0 failure(s), 0 warning(s)' in finished.stderr + finished.stdout


STEPS = '''set -u
cd /mnt/packaging/ansible
play() {   # play NAME VARIABLES
    ansible-playbook -i localhost, -c local playbook.yml -e "$2" > /srv/play/$1.log 2>&1
    echo $? > /srv/play/$1.status
    mkdir -p /srv/play/$1/etc/systemd
    cp -a /etc/ksmtuned.conf* /srv/play/$1/etc/
    cp -a /etc/systemd/system /srv/play/$1/etc/systemd/
}
find /etc /usr/local > /tmp/before
play unset '{}'
find /etc /usr/local | diff /tmp/before - > /srv/play/unset.diff
play first "$1"
command -v ksmtuned ksmctl > /srv/play/programs
ksmctl check-config >> /srv/play/programs 2>&1
play second "$1"
rm -f /usr/local/sbin/ksmctl /var/cache/ksmtuned-installed
play interrupted "$1"
command -v ksmctl > /srv/play/made-up-for
play wrong "$2"
mkdir /srv/others && chown nobody /srv/others
play others "$4"
play override "$5"
play off "$3"
'''


@pytest.fixture(scope='module')
def played(ansible, package, tmp_path_factory):
    """The folder with what each play printed and left behind."""
    need_root()
    need_namespaces('--mount')
    folder, world = tmp_path_factory.mktemp('play'), tmp_path_factory.mktemp('world')
    shutil.copy2(package, folder)
    common = dict(ksmtuned_package=f'/srv/play/{package.name}')
    first = dict(common, ksmtuned_settings=SETTINGS, ksmtuned_metrics=True, ksmtuned_metrics_folder='/srv/textfiles',
                 ksmtuned_drop_ins=['pss.conf'])
    wrong = dict(first, ksmtuned_settings=dict(SETTINGS, KSM_CPU_MAX='much'))
    others = dict(first, ksmtuned_metrics_folder='/srv/others')
    override = dict(others, ksmtuned_metrics_override=True)
    off = dict(common, ksmtuned_settings={}, ksmtuned_enabled=False)
    finished = subprocess.run(
        ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', WORLD, 'world', world, folder, TOP,
         'env', f'PATH={ansible}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'SYSTEMD_OFFLINE=1', 'HOME=/tmp',
         'LC_ALL=C.UTF-8', 'ANSIBLE_NOCOLOR=1', 'bash', '-c', STEPS, 'steps', *map(json.dumps, (first, wrong, off, others, override))],
        capture_output=True, text=True)
    if 'overlay' in finished.stderr and finished.returncode:
        raise Missing(f'no overlay of the root can be mounted here: {finished.stderr.strip()}')
    assert finished.returncode == 0, finished.stderr
    return folder


def log(played, name):
    return (played / f'{name}.log').read_text()


def status(played, name):
    return int((played / f'{name}.status').read_text())


def enabled(played, name):
    return {unit for unit in ('ksm.service', 'ksmtuned.service')
            if os.path.lexists(played / name / ENABLED / unit)}


def test_without_a_package_nothing_is_done(played):
    """The package of that name in a distribution is the script."""
    assert status(played, 'unset') != 0
    assert 'ksmtuned_package is not set. Set it to a .deb' in log(played, 'unset')
    assert ' changed=0 ' in log(played, 'unset')
    assert (played / 'unset.diff').read_text() == ''


def test_the_role_installs_and_configures(played):
    assert status(played, 'first') == 0, log(played, 'first')
    text = (played / 'first/etc/ksmtuned.conf.d/50-ansible.conf').read_text()
    assert text.splitlines()[1:] == [
        'KSM_CPU_MAX=40', "KSM_GUEST_PATTERN='^(qemu-.*|my vmm)$'", 'KSM_POLICY=adaptive', 'KSM_USE_ZERO_PAGES=yes']
    programs = (played / 'programs').read_text().splitlines()
    assert [os.path.basename(path) for path in programs[:2]] == ['ksmtuned', 'ksmctl']
    assert programs[2:] == ['the configuration can be used']
    assert enabled(played, 'first') == {'ksm.service', 'ksmtuned.service'}
    units = played / 'first/etc/systemd/system'
    assert 'CAP_SYS_PTRACE' in (units / 'ksmtuned.service.d/pss.conf').read_text()
    assert 'KSM_METRICS_FOLDER=/srv/textfiles' in (units / 'ksmtuned-metrics.service.d/50-ansible.conf').read_text()
    assert os.path.lexists(units / 'timers.target.wants/ksmtuned-metrics.timer')


def test_a_second_time_changes_nothing(played):
    assert status(played, 'second') == 0, log(played, 'second')
    assert ' changed=0 ' in log(played, 'second'), log(played, 'second')


def test_an_installation_that_did_not_come_to_its_end_is_made_up_for(played):
    """The archive is there, and its programs are not."""
    assert status(played, 'interrupted') == 0, log(played, 'interrupted')
    assert (played / 'made-up-for').read_text() == '/usr/local/sbin/ksmctl\n'


def test_settings_with_errors_end_the_play_and_change_nothing(played):
    assert status(played, 'wrong') != 0
    assert 'KSM_CPU_MAX=much is not a decimal integer' in log(played, 'wrong')
    before, after = (played / name / 'etc/ksmtuned.conf.d/50-ansible.conf' for name in ('second', 'wrong'))
    assert before.read_text() == after.read_text()


def test_a_folder_that_is_not_roots_ends_the_play_unless_the_service_may_write_there(played):
    drop_in = 'etc/systemd/system/ksmtuned-metrics.{}.d/50-ansible.conf'
    assert status(played, 'others') != 0
    assert '/srv/others belongs to the user nobody' in log(played, 'others')
    assert '/srv/others' not in (played / 'others' / drop_in.format('service')).read_text()
    assert status(played, 'override') == 0, log(played, 'override')
    for unit, given in ('service', True), ('timer', False):
        text = (played / 'override' / drop_in.format(unit)).read_text()
        assert '/srv/others' in text and ('\nCapabilityBoundingSet=CAP_DAC_OVERRIDE\n' in text) == given
    assert 'Capability' not in (played / 'first' / drop_in.format('service')).read_text()


def test_it_is_switched_off_again(played):
    assert status(played, 'off') == 0, log(played, 'off')
    assert enabled(played, 'off') == set()
    assert not (played / 'off/etc/ksmtuned.conf.d/50-ansible.conf').exists()
    assert not (played / 'off/etc/systemd/system/ksmtuned.service.d/pss.conf').exists()
    assert not os.path.lexists(played / 'off/etc/systemd/system/timers.target.wants/ksmtuned-metrics.timer')
