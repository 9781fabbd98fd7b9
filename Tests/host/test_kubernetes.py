"""The DaemonSet: its manifests by the schemas of Kubernetes, and the daemon on this kernel's own KSM in a container as the
manifest asks for it, no more: its capabilities, its read-only file system, and its mounts alone."""
import os, pathlib, re, shutil, subprocess
import pytest
from shared import kernel
from shared.kernel import ksm, read, write
from shared.needs import Missing, need, need_programs
from shared.processes import wait_for
from shared.tested import TOP, TestStage

FOLDER = TOP / 'packaging/kubernetes'
MANIFESTS = 'namespace.yaml', 'configmap.yaml', 'daemonset.yaml'
# The oldest with every field that is used, and the newest that the tool knows.
VERSIONS = ('-k', '1.30'), ()


def manifest(name):
    try:
        import yaml
    except ImportError:
        raise Missing('no yaml for Python here (package python3-yaml)') from None
    return yaml.safe_load((FOLDER / name).read_text())


@pytest.mark.parametrize('version', VERSIONS, ids=['1.30', 'newest'])
def test_manifests_are_as_the_schema_says(version):
    need(shutil.which('kubernetes-validate'), 'no kubernetes-validate here (pip install kubernetes-validate)')
    finished = subprocess.run(['kubernetes-validate', '--strict', '--no-warn', *version, *(FOLDER / name for name in MANIFESTS)],
                              capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert (finished.stdout + finished.stderr).count(' passed ') == len(MANIFESTS)


def test_unmerging_has_all_the_cpu_time_that_there_is():
    """It counts in the daemon's container, and must come to its end within the grace period."""
    spec = manifest('daemonset.yaml')['spec']['template']['spec']
    (resources,) = [one['resources'] for one in spec['containers'] if one['name'] == 'ksmtuned']
    assert set(resources['limits']) == {'memory'} and resources['requests']['cpu']
    # The quality of service that gives the oom_score_adj otherwise takes a limit of each.
    assert spec['priorityClassName'] == 'system-node-critical'


class Pod:
    """What the kubelet and a container runtime make of the DaemonSet, with bubblewrap for them."""

    def __init__(self, stage, folder, image):
        self.stage, self.folder, self.image = stage, folder, image
        self.spec = manifest('daemonset.yaml')['spec']['template']['spec']
        self.programs = pathlib.Path(stage.programs.folder)
        shutil.copy2(FOLDER / 'companion', self.programs)
        self.volumes = {volume['name']: self.place(volume) for volume in self.spec['volumes']}
        self.revision = 0

    def place(self, volume):
        """Of a volume, on this host: KSM's own folder, and others that stand for the node's."""
        path = volume.get('hostPath', {}).get('path')
        if path == kernel.KSM:
            return path
        own = self.folder / volume['name']
        own.mkdir()
        # As the kubelet makes them.
        own.chmod(0o755 if path else 0o777)
        return own

    def configure(self, **files):
        """As the kubelet writes a ConfigMap: a folder for each revision, and links by way of ..data, which is replaced."""
        volume = self.volumes['configuration']
        self.revision += 1
        data = volume / f'..revision_{self.revision}'
        data.mkdir()
        for name, text in files.items():
            (data / name).write_text(text)
            link = volume / name
            if not link.is_symlink():
                link.symlink_to(f'..data/{name}')
        (volume / '..data_tmp').symlink_to(data.name)
        os.replace(volume / '..data_tmp', volume / '..data')

    def command(self, name, command=None):
        container = next(one for one in self.spec['containers'] if one['name'] == name)
        context = container['securityContext']
        assert self.spec['hostPID'] and context['readOnlyRootFilesystem'] and not context['allowPrivilegeEscalation']
        words = ['bwrap', '--die-with-parent', '--unshare-net', '--unshare-ipc', '--unshare-uts']
        if self.image:
            words += ['--bind', self.image, '/']
        else:
            # This host's programs, which stand for the image's.
            words += ['--ro-bind', '/usr', '/usr', '--ro-bind', FOLDER / 'ksmtuned.conf', '/etc/ksmtuned.conf']
            words += [word for name in ('bin', 'sbin', 'lib', 'lib64') for word in ('--symlink', f'usr/{name}', f'/{name}')]
        words += ['--proc', '/proc', '--dev', '/dev', '--ro-bind', '/sys', '/sys', '--tmpfs', '/mnt',
                  '--ro-bind', self.programs, '/mnt/programs']
        for mount in container['volumeMounts']:
            words += ['--ro-bind' if mount.get('readOnly') else '--bind', self.volumes[mount['name']], mount['mountPath']]
        path = '/usr/sbin:/usr/bin' if self.image else '/mnt/programs:/usr/sbin:/usr/bin'
        words += ['--remount-ro', '/', '--cap-drop', *context['capabilities']['drop'], '--clearenv', '--setenv', 'PATH', path]
        for pair in [*container.get('env', []), dict(name='LOOK_SECONDS', value='1')]:
            words += ['--setenv', pair['name'], pair['value']]
        return [*words, '--', *(command or container['command'])]

    def start(self, name, log):
        with open(log, 'w') as file:
            return self.stage.start(self.command(name), stdout=file, stderr=file)

    def run(self, name, *command):
        """In the container, as a probe is; its exit status."""
        return subprocess.run(list(map(str, self.command(name, command))), capture_output=True, text=True)

    def probe(self):
        container = self.spec['containers'][0]
        return self.run('ksmtuned', *container['livenessProbe']['exec']['command']).returncode


@pytest.fixture
def pod(request, own_ksm, programs):
    need_programs('bwrap:bubblewrap')
    image = request.config.option.image_root
    programs.ksmctl
    with TestStage.new(programs) as stage:
        folder = stage.folder / 'pod'
        folder.mkdir()
        yield Pod(stage, folder, image)


def test_it_works_with_what_the_daemonset_gives_it(pod):
    """Start, decision, changed configuration, refused configuration, metrics, probes, end."""
    before = kernel.knobs()
    assert pod.probe() == 3, 'without a daemon'
    pod.configure(**{'10-cluster.conf': 'KSM_MONITOR_INTERVAL=1h\nKSM_THRES_COEF=0\n'})
    log, companion_log = pod.folder / 'log', pod.folder / 'companion.log'
    state = pod.volumes['runtime'] / 'state'
    daemon = pod.start('ksmtuned', log)
    wait_for('the daemon', lambda: 'ready' in read(log) or daemon.poll() is not None)
    assert daemon.poll() is None, read(log)
    wait_for('a decision', lambda: state.exists() and 'ACTION=stop' in read(state))
    assert pod.probe() == 0

    # No capability, no new privileges, and nothing written but the volumes.
    pid = int(re.search(r'(?m)^PID=(\d+)$', read(state))[1])
    status = read(f'/proc/{pid}/status')
    # bubblewrap leaves the bounding set, from which nothing comes without new privileges.
    assert re.findall(r'(?m)^Cap(?:Inh|Prm|Eff|Amb):\t(\w+)$', status) == ['0' * 16] * 4
    assert '\nNoNewPrivs:\t1\n' in status and '\nUid:\t0\t0\t0\t0\n' in status
    assert pod.run('ksmtuned', 'touch', '/etc/new').returncode != 0
    assert pod.run('ksmtuned', 'sh', '-c', 'echo 0 > /sys/kernel/mm/transparent_hugepage/khugepaged/defrag').returncode != 0
    assert pod.run('companion', 'sh', '-c', f'echo 0 > {kernel.KSM}/run').returncode != 0

    companion = pod.start('companion', companion_log)
    metrics = pod.volumes['textfiles'] / 'ksmtuned.prom'
    wait_for('metrics', metrics.exists)
    assert '\nksmtuned_up 1\n' in read(metrics)

    # A guest of another pod, and a policy that scans.
    pod.stage.guest(64, '--same', 100)
    pod.configure(**{'10-cluster.conf': 'KSM_MONITOR_INTERVAL=1h\nKSM_THRES_COEF=100\nKSM_NPAGES_BOOST=4321\n'
                                        'KSM_NPAGES_MAX=5000\n'})
    wait_for('the decision of the changed configuration', lambda: 'ACTION=scan' in read(state))
    assert (ksm('run'), ksm('pages_to_scan')) == (1, 4321)
    assert '\nGUESTS=1\n' in read(state)
    assert 'configuration reloaded' in read(log)

    # A wrong one is named, and changes nothing.
    pod.configure(**{'10-cluster.conf': 'KSM_THRES_COEF=many\n'})
    wait_for('the refusal', lambda: 'KSM_THRES_COEF=many is not a decimal integer' in read(companion_log))
    assert daemon.poll() is None and ksm('pages_to_scan') == 4321
    assert companion.poll() is None
    assert pod.probe() == 0

    pod.stage.end(companion)
    os.kill(pid, 15)
    assert daemon.wait(40) == 0, read(log)
    assert not state.exists()
    assert kernel.knobs() == before
    assert pod.probe() == 3


def test_a_second_daemon_of_the_node_is_refused(pod):
    """The lock lies in a folder of the node, so a daemon of the node's own and the pod keep each other away."""
    pod.configure(**{'10-cluster.conf': 'KSM_MONITOR_INTERVAL=1h\n'})
    log = pod.folder / 'log'
    pod.start('ksmtuned', log)
    wait_for('the daemon', lambda: 'ready' in read(log))
    assert pod.run('ksmtuned', 'ksmtuned').returncode == 75


def test_the_image_has_the_mount_points_and_the_programs(programs, tmp_path):
    """What the manifest mounts and runs is what the recipe makes."""
    spec = manifest('daemonset.yaml')['spec']['template']['spec']
    recipe = (FOLDER / 'Containerfile').read_text()
    for container in spec['containers']:
        for mount in container['volumeMounts']:
            assert mount['mountPath'].startswith('/sys/') or mount['mountPath'] in recipe, mount['mountPath']
        words = [container['command'][0], container.get('livenessProbe', {}).get('exec', {}).get('command', ['ksmctl'])[0]]
        for word in words:
            assert re.search(rf'^COPY .*\b{word}\b', recipe, re.MULTILINE), word
    (text,) = manifest('configmap.yaml')['data'].values()
    cluster = tmp_path / 'cluster.conf'
    write(cluster, text)
    for file in FOLDER / 'ksmtuned.conf', cluster:
        checked = subprocess.run([programs.daemon, '--check-config', file], capture_output=True, text=True)
        assert (checked.returncode, checked.stderr) == (0, ''), file
