# Long: the unit suspended, by the freezer of its control group. (The whole machine was not: from s2idle it did not wake under
# QEMU, and no deeper sleep was tried.)
fresh
configure KSM_THRES_COEF=20 KSM_ON_EXIT=restore
start || return
check 'resting' resting
pid=$(pid) group=$(group_of ksmtuned)
frozen() { grep -qx "frozen $1" "$group"/cgroup.events; }
was=$(decided)
now 'systemctl freeze' systemctl freeze ksmtuned
check '... the kernel says it is' frozen 1
configure KSM_THRES_COEF=100
kill -HUP "$pid"; kill -USR1 "$pid"
sleep 2
now '... it decides nothing meanwhile' eval "resting && [ \"\$(decided)\" = \"$was\" ]"
now 'systemctl thaw' systemctl thaw ksmtuned
check '... and what was asked for meanwhile is done' scanning
now '... the process is the same' eval "is MainPID $pid && is NRestarts 0"

# The watchdog's clock goes on meanwhile: what is frozen for longer is ended, and started again.
override WatchdogSec=3 RestartSec=200ms
systemctl restart ksmtuned
check 'scanning' scanning
pid=$(pid)
mark
systemctl freeze ksmtuned
check 'frozen for longer than the watchdog waits: told' systemd_said 'Watchdog timeout'
# systemd 252 itself cannot thaw a unit that it is ending.
echo 0 > "$group"/cgroup.freeze
check '... and thawed: another one runs' eval "not is MainPID $pid && not is MainPID 0 && is ActiveState active"
check '... scanning' scanning
decides '... and decides'
systemctl stop ksmtuned
check '... and its end is an ordinary one' clean_stop
