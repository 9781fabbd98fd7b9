# Long: two hundred reloads as fast as they can be asked for, each with another configuration, and forty through systemctl.
fresh
replace() {     # The file is whole at each moment.
    printf '%s\n' KSM_MONITOR_INTERVAL=1h "$@" > $conf.new
    mv $conf.new $conf
}
replace KSM_THRES_COEF=20
start || return
systemctl reload ksmtuned
check 'resting' resting
pid=$(pid)
descriptors() { ls /proc/"$pid"/fd | wc -l; }
private() { awk '$1 == "RssAnon:" { print $2 }' /proc/"$pid"/status; }
held=$(descriptors) memory=$(private)
mark
for ((i = 0; i < 200; i++)); do
    replace KSM_THRES_COEF=$((i % 2 ? 20 : 100)) KSM_NPAGES_MAX=$((1000 + i))
    kill -HUP "$pid"
done
replace KSM_THRES_COEF=100 KSM_NPAGES_MIN=77 KSM_NPAGES_MAX=77
now 'a reload behind two hundred of them' systemctl reload ksmtuned
check '... is the one that counts' eval 'scanning && knob pages_to_scan -eq 77'
for ((i = 0; i < 10; i++)); do
    for j in 1 2 3 4; do systemctl reload ksmtuned & waiting[j]=$!; done
    wait "${waiting[@]}" || break
done
now 'forty through systemctl, four at a time: each succeeds' [ $i = 10 ]
check '... the unit is active, not reloading' is ActiveState active
replace KSM_THRES_COEF=20
systemctl reload ksmtuned
check 'the last one counts' resting
now 'the process is the same' eval "is MainPID $pid && is NRestarts 0"
check 'it holds as many files as before' eval '[ "$(descriptors)" = "$held" ]'
now '... and as much memory' eval 'echo "RssAnon $memory KiB before, $(private) KiB"; [ "$(private)" -le $((memory + 256)) ]'
note "RssAnon $memory KiB before, $(private) KiB; $(daemon_journal -o cat | wc -l) messages"
now 'no more than a reload and its decision is told each time' \
    eval '! daemon_journal -o cat | grep -vE "^(configuration reloaded|scanning|not scanning)" && [ "$(daemon_journal -o cat | wc -l)" -le $((3 * 242)) ]'
now 'no warning' no_complaint
