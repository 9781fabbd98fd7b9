# Long: the unit in a slice with a limit of memory, which others in it use up; and then with less than the daemon itself needs.
fresh
configure KSM_THRES_COEF=100 KSM_ON_EXIT=restore DEBUG=1
printf '%s\n' '[Slice]' MemoryMax=48M MemorySwapMax=0 > /run/systemd/system/tight.slice
override Slice=tight.slice RestartSec=3s
systemctl start ksm; set_knobs 0 141 41
start || return
check 'scanning' scanning
pid=$(pid) slice=/sys/fs/cgroup/tight.slice group=$(group_of ksmtuned)
now 'it runs in the slice' eval '[[ $group = $slice/* ]]'
hog greedy 64 Slice=tight.slice Restart=always RestartSec=0
for i in 1 2 3; do
    check "killed in the slice: $i" eval '[ "$(oom_kills $slice/memory.events)" -ge '$i' ]'
    decides '... the daemon decides'
done
now 'it was no victim' eval "[ \"\$(oom_kills $group/memory.events)\" = 0 ] && is MainPID $pid"
no_hogs
now 'no warning' no_complaint

mark
echo 64K > $slice/memory.max
retune
check 'with less than it needs it is killed' eval "not is MainPID $pid"
check '... and waits for the next start' systemd_said 'oom-kill'
now '... KSM goes on as it was decided' scanning
echo max > $slice/memory.max
limit=60 check 'with enough it comes back by itself' is ActiveState active
decides '... and decides'
systemctl stop ksmtuned
now 'stop restores what was found before the first start' eval 'resting && knob pages_to_scan -eq 141 && knob sleep_millisecs -eq 41'
check '... cleanly' clean_stop
rm /run/systemd/system/tight.slice
fresh
