# Long: the Debian package in the place of Debian's own, which runs, or was switched off.
. ./packages.bash
no_package || return

# In the place of Debian's own, which runs with a changed configuration.
now "Debian's is installed" deb -i packages/debian.deb
changed
systemctl restart ksmtuned
check "Debian's daemon scans" scanning
script=$(pid)
now '... and is a script' not native
watch
now 'this one is installed over it' deb -i packages/ours.deb
now 'KSM ran all the time' never_stopped
now '... and runs' scanning
now 'the version is the new one' eval '[ "$(version)" = "install ok installed $ours" ]'
note "$(version)"
now 'the changed configuration is the same' kept
now '... with the new one beside it' test -s $conf.dpkg-dist
now 'both units are enabled, as before' enabled
check 'the daemon runs' is ActiveState active
now '... this one' native
now '... and not the script as well' test ! -e "/proc/$script"
check '... and has decided by that configuration' status_has '^scanning'
if grep -qx Y /sys/module/apparmor/parameters/enabled 2> /dev/null; then
    now 'AppArmor confines it' confined
    retune
    systemctl reload ksmtuned
    check '... and has refused nothing' no_denial
else
    skip 'AppArmor confines it' 'this kernel has none switched on'
fi
now 'no warning, no refused system call' no_complaint
for test in root-tree units; do now "the package's own test passes: $test" sh packages/$test; done
now 'it is purged' deb --purge ksmtuned

# A daemon that the administrator switched off stays off.
now "Debian's is installed again" deb -i packages/debian.deb
systemctl disable --quiet --now ksmtuned ksm
resting_before() { echo 0 > $ksm/run; resting; }
now 'KSM rests' resting_before
now 'this one is installed over it' deb -i packages/ours.deb
now 'the units stay disabled' eval '[ "$(systemctl is-enabled ksm ksmtuned | sort -u)" = disabled ]'
now '... and inactive' eval '[ "$(systemctl is-active ksm ksmtuned | sort -u)" = inactive ]'
now '... and KSM rests' resting
now 'it is purged' deb --purge ksmtuned
