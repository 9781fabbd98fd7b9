"""A libvirtd of its own, without systemd: Debian's packages libvirt-daemon, libvirt-daemon-driver-qemu, libvirt-clients."""
import os, subprocess
from .kernel import write
from .needs import need, need_programs
from .processes import wait_for
from .tested import need_namespaces

DRIVER = '/usr/lib/{}-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so'

# In a mount namespace of its own it finds nothing of the host's libvirt, and leaves nothing; in a network of its own it
# makes no bridge and no rule of the firewall. Debian's driver looks for a user that only libvirt-daemon-system makes.
WORLD = '''
set -e
mount --make-rprivate /
for folder in /run /var/lib /var/cache; do mount -t tmpfs none $folder; done
mkdir /run/upper /run/work
mount -t overlay etc -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work /etc
grep -q ^libvirt-qemu: /etc/passwd || echo libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin >> /etc/passwd
grep -q ^libvirt-qemu: /etc/group || echo libvirt-qemu:x:64055: >> /etc/group
exec "$@"
'''


class Libvirt:
    """One that runs, with a socket in a folder of the stage."""

    def __init__(self, stage):
        need_programs('libvirtd:libvirt-daemon', 'virsh:libvirt-clients')
        need(os.path.exists(DRIVER.format(os.uname().machine)), 'no QEMU driver of libvirt here '
             '(package libvirt-daemon-driver-qemu)')
        need_namespaces('--mount', '--net')
        folder = stage.folder / 'libvirt'
        folder.mkdir()
        write(folder / 'libvirtd.conf', f'unix_sock_dir = "{folder}"\nauth_unix_ro = "none"\nauth_unix_rw = "none"\n'
                                        f'log_outputs = "3:file:{folder}/log"\n')
        with open(folder / 'said', 'w') as f:
            process = stage.start(['unshare', '--mount', '--net', 'bash', '-c', WORLD, 'bash', 'libvirtd', '-f',
                                   folder / 'libvirtd.conf', '-p', folder / 'pid'], stdout=f, stderr=f)
        self.socket = folder / 'libvirt-sock'
        wait_for('libvirtd', lambda: self.answers() or process.poll() is not None)
        need(process.poll() is None, f'libvirtd does not run here: {(folder / "said").read_text().strip()}')

    def virsh(self, *arguments):
        """A finished command."""
        return subprocess.run(['virsh', '-q', '-c', f'qemu:///system?socket={self.socket}', *map(str, arguments)],
                              capture_output=True, text=True, timeout=60)

    def answers(self):
        return self.socket.exists() and self.virsh('node-memory-tune').returncode == 0
