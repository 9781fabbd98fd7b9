"""A tree of plain files in the place of the host's own, for a program that is given no --root: what it does on the
host's paths alone, it does there."""
import os
from .kernel import KSM, write
from .needs import need_root
from .tested import need_namespaces

# In a mount namespace of its own the tree's folders lie over the host's; the program is started only where they do.
# What is mounted inside the tree comes along.
SCRIPT = f'''
set -e
tree=$1
shift
mount --make-rprivate /
mount --bind /proc/self/ns/pid "$tree/proc/self/ns/pid"
while [ "$1" != -- ]; do
    mount --rbind "$tree$1" "$1"
    shift
done
shift
test -e {KSM}/.tree && test -e /proc/.tree
exec "$@"
'''


def need_world():
    need_root()
    need_namespaces('--mount')


def mark(tree):
    """By these the tree is known from the host. The processes of the kernel's numbers are its own."""
    for name in (f'{tree}{KSM}', f'{tree}/proc/self/ns'):
        os.makedirs(name, exist_ok=True)
    for name in (f'{tree}{KSM}/.tree', f'{tree}/proc/.tree', f'{tree}/proc/self/ns/pid'):
        write(name, '')


def inside(tree, places):
    """What stands before a command that is to find the tree's folders of these names in the place of the host's. /proc
    comes last: mount(8) reads there."""
    return ['unshare', '--mount', 'sh', '-c', SCRIPT, 'sh', tree, *places, '/proc', '--']
