# Long: Debian packages while they run: in the place of Debian's own and of Proxmox VE's, an upgrade, removal, purge.
fresh
if [ -e no-packages ]; then
    skip 'packages one over the other' "$(cat no-packages)"
    return
fi
# What `make install` put here is no package's.
rm -rf /usr/sbin/ksm{tuned,ctl} /usr/lib/systemd/system/ksm{,tuned,tuned-metrics}.{service,timer} /etc/ksmtuned.conf{,.d} \
    /etc/default/ksm /etc/logrotate.d/ksmtuned /usr/share/{ksmtuned,ksmctl} /usr/share/man/man?/ksm* /var/lib/ksmtuned \
    /usr/share/bash-completion/completions/ksmctl /usr/share/zsh/site-functions/_ksmctl \
    /usr/share/fish/vendor_completions.d/ksmctl.fish /run/ksmtuned
systemctl daemon-reload
deb() { DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold "$@" < /dev/null; }
version() { dpkg-query -W -f '${Status} ${Version}\n' "${1:-ksmtuned}"; }
ours=$(dpkg-deb -f packages/ours.deb Version)
# `run`, many times a second, while something else happens.
watch() { (while read -r value < $ksm/run; do echo "$value"; sleep .05; done > /tmp/runs) & watcher=$!; }
never_stopped() {
    kill $watcher; wait $watcher 2> /dev/null
    sort /tmp/runs | uniq -c
    [ "$(sort -u /tmp/runs)" = 1 ] && [ "$(wc -l < /tmp/runs)" -gt 5 ]
}
enabled() { systemctl is-enabled ksm ksmtuned | tee /dev/stderr | grep -c '^enabled$' | grep -qx 2; }
# The daemon of the package, not the script of the same name.
native() { [ "$(readlink "/proc/$(pid)/exe")" = /usr/sbin/ksmtuned ]; }
# With these an empty host scans, by the original's rule, too.
changed() { printf '%s\n' '# changed by hand' KSM_THRES_COEF=100 KSM_MONITOR_INTERVAL=1 > $conf; echo '# changed by hand' >> /etc/default/ksm; }
kept() { grep -q 'changed by hand' $conf && grep -q KSM_THRES_COEF=100 $conf && grep -q 'changed by hand' /etc/default/ksm; }
confined() { cat "/proc/$(pid)/attr/current"; grep -qx 'ksmtuned (enforce)' "/proc/$(pid)/attr/current"; }
no_denial() { journal -k -o cat | sed -n 's/.*\(apparmor="DENIED".*ksmtuned.*\)/\1/p' | sed 's/class="file" info="[^"]*"//' | tr -d '"'; [ -z "$(journal -k -o cat | grep -E 'apparmor="DENIED".*ksmtuned')" ]; }
leftovers() { find / \( -path /proc -o -path /sys -o -path /payload -o -path /tmp -o -path /run/log -o -path /var/log/journal \) -prune \
    -o \( -name '*ksmtun*' -o -name 'ksmctl*' -o -name ksm -o -name 'ksm.service*' -o -name '_ksmctl' \) -print; }

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

# In the place of the package that has the same programs under another name.
now "Proxmox VE's is installed" deb -i packages/proxmox.deb
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
now 'it is purged' deb --purge ksmtuned
deb --purge ksm-control-daemon

# An upgrade while guests are merged.
fresh
rm -f $conf; rm -rf /etc/ksmtuned.conf.d
mkdir -p /var/lib/prometheus/node-exporter
now 'an older version of this one is installed' deb -i packages/older.deb
changed
printf '%s\n' KSM_MONITOR_INTERVAL=1h ${fast// /$'\n'} >> $conf
systemctl restart ksmtuned
systemctl --quiet enable --now ksmtuned-metrics.timer
check 'it scans' scanning
guest $guest_mib
retune
check 'the guest is merged' knob pages_sharing -gt $((guest_mib * 256 * 9 / 10))
for i in 1 2 3; do decides "it decides: $i"; done
records() { ksmctl history --csv | grep '^[0-9]'; }
records > /tmp/records
now 'it has a history' test "$(wc -l < /tmp/records)" -ge 3
was=$(pid) found=$(grep '^FOUND_' /run/ksmtuned/state) inode=$(stat -c %i /var/lib/ksmtuned/history)
watch
now 'the new version is installed over it' deb -i packages/ours.deb
now 'KSM ran all the time' never_stopped
now 'the version is the new one' eval '[ "$(version)" = "install ok installed $ours" ]'
check 'a new daemon runs' eval 'is ActiveState active && not is MainPID "$was"'
now 'the guest is still merged' knob pages_sharing -gt $((guest_mib * 256 * 9 / 10))
records > /tmp/records.new
now 'the history goes on where it was' eval '[ "$(head -n "$(wc -l < /tmp/records)" /tmp/records.new)" = "$(cat /tmp/records)" ] && [ "$(wc -l < /tmp/records.new)" -gt "$(wc -l < /tmp/records)" ]'
now '... in the same file' test "$(stat -c %i /var/lib/ksmtuned/history)" = "$inode"
now 'the timer of the metrics still runs' is ActiveState active ksmtuned-metrics.timer
now 'the changed configuration is the same' kept
no_guests

# Removal keeps what the administrator made; purge keeps nothing.
now 'it is removed' deb --remove ksmtuned
now '... the daemon ended' eval 'not pgrep -x ksmtuned'
now '... KSM rests' resting
now '... the configuration and the history are there' eval 'kept && [ -s /var/lib/ksmtuned/history ]'
now '... the timer is stopped' eval 'not is ActiveState active ksmtuned-metrics.timer'
now 'it is installed again' deb -i packages/ours.deb
check '... and runs with that configuration' eval 'is ActiveState active && scanning && kept'
echo x > /var/log/ksmtuned; echo x > /var/log/ksmtuned.1
now 'it is purged' deb --purge ksmtuned
rm -f /payload/out/* ; rm -rf /run/systemd/generator*/ksm*
now '... and nothing is left of it' eval 'leftovers; [ -z "$(leftovers)" ]'
