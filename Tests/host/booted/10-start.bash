# The units as they are installed, with the configuration as it is shipped.
fresh
cp /tmp/shipped.conf $conf
for unit in ksmtuned.service ksm.service; do
    now "systemd-analyze verify $unit has nothing to say" \
        eval "out=\$(systemd-analyze verify --man=no $unit 2>&1); echo \"\$out\"; [ -z \"\$out\" ]"
done
for unit in ksmtuned.service ksm.service; do
    exposure=$(systemd-analyze security $unit --no-pager | sed -n 's/.*Overall exposure level.*: \([0-9.]*\).*/\1/p')
    now "systemd-analyze security $unit: $exposure, allowed are 1.2" awk -v e="$exposure" 'BEGIN { exit !(e != "" && e <= 1.2) }'
done

systemctl start ksm
now 'ksm.service alone starts KSM' knob run -eq 1
systemctl stop ksm
now '... and stopped, stops it' knob run -eq 0

start || return
now '... and returns when the daemon is ready' is SubState running
now 'it is active' is ActiveState active
now 'its type is one that waits for READY=1' is Type "$(show Type | grep -x 'notify.*')"
now 'ksm.service was started with it' is ActiveState active ksm
now '... and before it' test "$(show ActiveEnterTimestampMonotonic ksm)" -le "$(show ExecMainStartTimestampMonotonic)"
check 'without a guest KSM rests: the first decision came at once' resting
check 'the status names the state' status_has '^not scanning'
check '... the reason, as a comparison' status_has '[0-9].* (<|>|>=) .*threshold'
check '... and the savings' status_has '([Ss]av|[Mm]erged)'
note "$(show StatusText)"

pid=$(pid)
now 'the process is called ksmtuned, no more and no less' test "$(cat /proc/"$pid"/comm)" = ksmtuned
now 'it has one thread' test "$(ls /proc/"$pid"/task | wc -l)" = 1
now '/var/run/ksmtune.pid holds the main pid' test "$(cat /var/run/ksmtune.pid)" = "$pid"
now '/run/ksmtuned/state names the action' grep -Eq '=.?stop' /run/ksmtuned/state
now 'seccomp filters it and it gains no privilege' \
    eval "grep -E '^(Seccomp|NoNewPrivs)' /proc/$pid/status; [ \$(grep -Ec '^(Seccomp:.2|NoNewPrivs:.1)' /proc/$pid/status) = 2 ]"
view=/proc/$pid/root/run
now 'what takes orders in /run is out of its sight' \
    eval "stat -c '%a %F' $view/systemd/private; [ \$(stat -c %a $view/systemd/private) = 0 ] && [ \$(stat -c %a /run/systemd/private) != 0 ]"
now "... and nothing can be written to systemd's folder there" \
    eval "out=\$(touch $view/systemd/probe 2>&1); echo \"\$out\"; [[ \$out == *Read-only* ]]"
note "$(grep -E '^(VmRSS|RssAnon|CapBnd)' /proc/"$pid"/status | tr -s '\t ' ' ' | paste -sd' '), $(ls /proc/"$pid"/fd | wc -l) descriptors"
note "$(ls -l /proc/"$pid"/fd | sed -n 's/.* -> //p' | sort | uniq -c | tr -s ' ')"
now 'no warning, no refused file, nothing killed by seccomp' no_complaint

systemctl restart ksmtuned
now 'restart: active' is ActiveState active
now '... as another process' test "$(pid)" != "$pid"
mark
systemctl stop ksm
check 'stopping ksm.service stops ksmtuned, cleanly' clean_stop
start
mark
systemctl stop ksmtuned
check 'stop: inactive, clean' clean_stop
now '... and the pid file is gone' test ! -e /var/run/ksmtune.pid
