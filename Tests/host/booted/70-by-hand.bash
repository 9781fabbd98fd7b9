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

# What avocado-vt's KSMController does: it looks for the process by its name, writes to the kernel's files, ends the
# daemon by a signal, and starts one beside the unit.
systemctl stop ksmtuned
set_knobs 0 143 43
configure KSM_THRES_COEF=100 KSM_ON_EXIT=restore
start || return
found_pid() { ps -C ksmtuned -o pid= | grep -oE '[0-9]+' | head -1; }
check 'a foreign client finds the process' eval '[ "$(found_pid)" = "$(pid)" ]'
check 'scanning' scanning
mark
echo 0 > $ksm/run
retune
check 'it stops KSM: told, with what was found' said_at 5..5 'changed run from 1 to 0'
check '... and the next decision scans again' scanning
mark
kill -TERM "$(found_pid)"
check 'it ends the daemon by a signal: cleanly, and systemd starts none' clean_stop
now '... and KSM is as it was found' eval 'knob pages_to_scan -eq 143 && knob sleep_millisecs -eq 43'
setsid ksmtuned > /dev/null 2>&1 < /dev/null &
check 'it starts one beside the unit' scanning
other=$(found_pid)
mark
now '... beside which the unit does not start' not systemctl start ksmtuned
now '... since another runs: 75' is ExecMainStatus 75
check '... which is named' said_at 3..3 "\\b$other\\b"
now '... and goes on' kill -0 "$other"
kill -TERM "$other"
check 'ended, it puts KSM back as well' eval 'knob pages_to_scan -eq 143 && not kill -0 '"$other"
