# Long: an upgrade of the Debian package while guests are merged; removal, and purge.
. ./packages.bash
no_package || return

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
was=$(pid) inode=$(stat -c %i /var/lib/ksmtuned/history)
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
