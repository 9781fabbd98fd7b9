# The clock set forward and back by a day. What tells of time goes by the time since boot.
fresh
rm -rf /var/lib/ksmtuned
configure $busy
epoch=$(($(date +%s) - $(cut -d. -f1 /proc/uptime)))            # of the boot, by the right clock
right_clock() { date -s "@$((epoch + $(cut -d. -f1 /proc/uptime) + ${1:-0}))" > /dev/null; }
start || return
check 'not scanning' resting
pid=$(pid) day=86400
records() { ksmctl history --csv | grep -c '^[0-9]'; }
# Of the times of the records, how far the last is from the first, and whether they ascend.
times() { ksmctl history --json | sed -n 's/^ *"time_seconds" : \([0-9]*\).*/\1/p'; }
within_an_hour() {
    local first last; first=$(times | head -1) last=$(times | tail -1)
    echo "from $first to $last, now $(date +%s)"
    times | sort -nc && [ $((last - first)) -le 3600 ] && [ $(($(date +%s) - last)) -le 3600 ] && [ $(($(date +%s) - last)) -ge -2 ]
}
for hour in "forward $day" "back -$day" "right 0"; do
    read -r name shift <<< "$hour"
    before=$(records) was=$(decided)
    right_clock "$shift"
    mark
    now "$name: no decision comes of it" eval "[ \"\$(decided)\" = \"$was\" ]"
    now "$name: ksmctl status says how long ago it was" eval "ksmctl status | tee /tmp/status | grep -E 'ecided.* [0-9.]+ ?(ms|s|min)\\b' && not grep -E '[0-9] (h|d)\\b|decided 0' /tmp/status"
    now "$name: ksmctl doctor finds a daemon that decides" eval "ksmctl doctor > /tmp/doctor; cat /tmp/doctor; grep -Eq '^ *OK +Daemon' /tmp/doctor && not grep -iE 'hangs|overdue|in the future' /tmp/doctor"
    decides "$name: it decides"
    now "$name: the history goes on" eval '[ "$(records)" -gt '"$before"' ]'
    now "$name: its times are those of the clock as it is now" within_an_hour
    now "$name: the last hour has all of it" eval 'ksmctl history --since 1h --csv | tee /dev/stderr | grep -c "^[0-9]" | grep -qx "$(records)"'
done
now 'the process is the same, and the watchdog content' eval "is MainPID $pid && is NRestarts 0"
now 'no warning' no_complaint
