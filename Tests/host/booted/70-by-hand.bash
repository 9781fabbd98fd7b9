# The programs as an operator starts them.
fresh
start || return
pid=$(pid)
out=$(timeout 20 /usr/sbin/ksmtuned 2>&1); status=$?
now 'a second daemon refuses: exit status 75' eval 'echo "$status: $out"; [ $status = 75 ]'
now "... and names the first, $pid" grep -qw "$pid" <<< "$out"
note "$out"
now '... which runs on' eval "is ActiveState active && is MainPID $pid && [ \"\$(cat /var/run/ksmtune.pid)\" = $pid ]"

traces() { grep -H . $ksm/{run,pages_to_scan,sleep_millisecs}; find /run/ksmtuned /var/lib/ksmtuned /var/run/ksmtune.pid -printf '%p %T@ %i\n' 2>/dev/null; }
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups timeout 20 "$@"; }
for before in running stopped; do
    [ $before = running ] || systemctl stop ksmtuned
    traces > /tmp/before
    out=$(as_nobody /usr/sbin/ksmtuned --dry-run --once 2>&1); status=$?
    now "daemon $before: nobody may ask --dry-run --once" eval 'echo "$status: $out"; [ $status = 0 ]'
    now '... and reads the decision' grep -q scanning <<< "$out"
    out=$(timeout 20 /usr/sbin/ksmtuned --dry-run --once 2>&1); status=$?
    now '... and so may root' eval 'echo "$status: $out"; [ $status = 0 ]'
    now '... and nothing is written' eval 'traces | diff /tmp/before -'
done
note "$out"

echo 0 > $ksm/run
now 'ksmctl start' ksmctl start
now '... writes run=1' knob run -eq 1
now 'ksmctl stop' ksmctl stop
now '... writes run=0' knob run -eq 0
if ksmctl_has status; then
    start || return
    now 'ksmctl status tells the state to nobody' eval "as_nobody ksmctl status | grep 'not scanning'"
    note "$(as_nobody ksmctl status 2>&1 | head -12 | paste -sd'|')"
else
    skip 'ksmctl status tells the state to nobody' 'this ksmctl has none'
fi
