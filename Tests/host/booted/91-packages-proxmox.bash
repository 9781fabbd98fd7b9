# Long: the Debian package in the place of Proxmox VE's, which has another name, while that runs; its units may lie in the
# other of the two folders that are one.
. ./packages.bash
no_package || return

for package in proxmox proxmox-usr; do
    folder=$(dpkg-deb -c packages/$package.deb | sed -n 's#.* \.\(.*\)/ksm\.service$#\1#p')
    now "Proxmox VE's is installed, its units in $folder" deb -i packages/$package.deb
    changed
    systemctl restart ksmtuned
    check '... and scans' scanning
    now 'this one is installed in its place' deb -i packages/ours.deb
    now '... which removes it' eval 'not grep -q " installed" <<< "$(version ksm-control-daemon)"'
    now 'the changed configuration is the same' kept
    now 'both units are enabled, as before' enabled
    check 'the daemon runs' is ActiveState active
    now '... this one' native
    check '... and KSM' scanning

    # Its script switches units off by their name, as README.Debian says; nothing else happens.
    now 'what is left of the old package is purged' deb --purge ksm-control-daemon
    now '... the changed configuration is still there' kept
    now '... the daemon still runs' eval 'is ActiveState active && native && scanning'
    now '... the units can be enabled again' eval 'systemctl enable --quiet ksm ksmtuned && enabled'
    now 'it is purged' deb --purge ksmtuned
    now '... and no diversion is left' eval 'not grep -q ksm /var/lib/dpkg/diversions'
done
