# A daemon that hangs, one that is killed, and what is left of the state found before its first start.
fresh
configure KSM_THRES_COEF=100 KSM_ON_EXIT=restore
override WatchdogSec=4
set_knobs 0 137 33
# ksm.service writes run=1 before the daemon starts; the state to restore is the one that the daemon finds.
systemctl start ksm; echo 0 > $ksm/run
start || return
check 'scanning' scanning
pid=$(pid) found=$(grep ^FOUND_ /run/ksmtuned/state)
now 'a daemon that waits feeds the watchdog' eval 'sleep 6; is MainPID '"$pid"' && is NRestarts 0'
mark
systemctl kill -s STOP ksmtuned
check 'a hung daemon is ended by the watchdog' systemd_said 'Watchdog timeout'
check '... and restarted, once' is NRestarts 1
check '... and active' is ActiveState active
now '... as another process' test "$(pid)" != "$pid"
check '... whose pid is in the pid file' eval '[ "$(cat /var/run/ksmtune.pid)" = "$(pid)" ]'
check '... scanning' scanning
check '... which knows what was found before the first one' eval '[ -n "$found" ] && [ "$(grep ^FOUND_ /run/ksmtuned/state)" = "$found" ]'
mark
systemctl stop ksmtuned
now 'stop restores run as found before the first start' knob run -eq 0
now '... pages_to_scan' knob pages_to_scan -eq 137
now '... sleep_millisecs' knob sleep_millisecs -eq 33
check '... cleanly' clean_stop

fresh
configure KSM_THRES_COEF=100 KSM_ON_EXIT=restore
override RestartSec=200ms
systemctl start ksm; set_knobs 0 138 34
start || return
check 'scanning' scanning
for i in 1 2; do
    pid=$(pid)
    systemctl kill -s KILL ksmtuned
    check "killed $i times: restarted" is NRestarts $i
    check '... and active' is ActiveState active
    now '... as another process' test "$(pid)" != "$pid"
done
systemctl stop ksmtuned
now 'stop restores what was found before the first start' \
    eval 'knob run -eq 0 && knob pages_to_scan -eq 138 && knob sleep_millisecs -eq 34'
# After a clean stop the next start finds anew.
set_knobs 0 139 35
systemctl start ksmtuned; check 'a new start scans' scanning; systemctl stop ksmtuned
check 'stop restores what this start found' eval 'knob pages_to_scan -eq 139 && knob sleep_millisecs -eq 35'
now 'no warning beside the restarts' no_complaint

# Killed while it is being stopped, as one is that does not end in time: what it found is known to the next one.
fresh
configure KSM_THRES_COEF=100 KSM_ON_EXIT=restore
override KillSignal=SIGKILL
systemctl start ksm; set_knobs 0 144 44
start || return
check 'scanning' scanning
mark
systemctl stop ksmtuned
now 'killed by a stop: it puts nothing back' eval 'scanning && not said "^ended"'
override KillSignal=SIGTERM
systemctl start ksmtuned; check '... the next one scans' scanning; systemctl stop ksmtuned
now '... and puts back what was found before the first' eval 'knob run -eq 0 && knob pages_to_scan -eq 144 && knob sleep_millisecs -eq 44'

# Nothing to tune: the knobs cannot be written.
fresh
configure KSM_THRES_COEF=100
override ReadWritePaths= 'ReadWritePaths=/run -/var/log'
now 'read-only knobs: the unit does not start' not systemctl start ksmtuned
now '... and waits for no restart' eval 'is ActiveState failed && is NRestarts 0'
now '... exit status 69' is ExecMainStatus 69
check '... with a message that names the place' said_at 3..3 '/sys/kernel/mm/ksm'
now '... one message' eval '[ $(daemon_journal -p err -o cat | wc -l) = 1 ]'
note "$(daemon_journal -p err -o cat)"
