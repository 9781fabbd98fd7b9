# No memory left, and no swap: the kernel kills again and again, and the daemon goes on deciding.
fresh
# The machine's files lie in its memory, as page cache that nobody can take: free memory is what the kernel calls available.
configure DEBUG=1 KSM_FREE_METRIC=available
start || return
check 'a host with memory to spare: not scanning' resting
pid=$(pid) group=$(group_of ksmtuned)
now 'the host has no swap' eval '[ "$(wc -l < /proc/swaps)" = 1 ]'
now 'the kernel takes the daemon last' grep -qx -- -900 /proc/"$pid"/oom_score_adj
now '... and leaves it 8 MiB' eval '[ "$(cat $group/memory.min)" = 8388608 ]'

# Most is taken, and stays so: free memory is short. Another takes the rest, is killed for it, and comes again.
available=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
hog steady $(((available - total / 10) / 1024)) OOMScoreAdjust=-800
limit=90 check 'memory gets short: it scans' eval 'retune; scanning'
check '... and says why' eval "daemon_journal -o cat KSM_REASON=shortage | grep -m1 scanning"
before=$(oom_kills)
hog greedy $((total * 4 / 10 / 1024)) OOMScoreAdjust=1000 Restart=always RestartSec=0
for i in 1 2 3; do
    limit=90 check "killed for memory: $i" eval '[ $(($(oom_kills) - before)) -ge '$i' ]'
    limit=60 decides '... the daemon decides'
done
now '... what it should' scanning
no_hogs
note "$(oom_kills) killed"
check '... and that it is over' eval 'retune; resting'
now 'the process is the same' eval "is MainPID $pid && is NRestarts 0"
now 'it was no victim' eval '[ "$(oom_kills $group/memory.events)" = 0 ]'
now 'the kernel had looked at it, with its adjustment' eval "journal -k -o cat | grep -E ' -900 ksmtuned\$' | head -1 | tee /dev/stderr | grep -q ."
now 'no warning' no_complaint
