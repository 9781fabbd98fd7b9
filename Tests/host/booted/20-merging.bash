# A guest comes, KSM merges for real, the guest goes; and what the journal and the log file tell of it.
fresh
configure $busy DEBUG=1 KSM_SLEEP_MSEC=1
start || return
check 'an empty host: not scanning' status_has '^not scanning'
threshold=$((total * 70 / 100)) sleep=$((1 * 16 * 1024 * 1024 / total))
[ $sleep -ge 10 ] || sleep=10
check 'DEBUG: total, at debug priority' said_at 7..7 "^total $total\$"
check 'DEBUG: sleep' said_at 7..7 "^sleep $sleep\$"
check 'DEBUG: thres' said_at 7..7 "^thres $threshold\$"
check 'DEBUG: committed and free' said_at 7..7 '^committed 0 free [0-9]+$'
check 'DEBUG: the comparison that stops' said_at 7..7 "^$threshold < $total and free > $threshold, stop ksm\$"

guest $guest_mib
mark
retune
check 'USR1 decides at once: scanning' scanning
check '... with the first boost or the first decay' eval 'knob pages_to_scan -eq 300 || knob pages_to_scan -eq 64'
now '... and the sleep of a host of this size' knob sleep_millisecs -eq "$sleep"
check 'the status says so' status_has '^scanning [0-9]+ pages every [0-9]+ ms'
now '/run/ksmtuned/state names the action' grep -Eq '=.?scan' /run/ksmtuned/state
check 'DEBUG: the guest is counted' eval "said_at 7..7 '^committed [1-9][0-9]{5} free [0-9]+\$'"
check 'DEBUG: start ksm' said_at 7..7 "^[0-9]+ > $total, start ksm\$"
check 'DEBUG: boost or decay' said_at 7..7 "^[0-9]+ (< $threshold, boost|> $threshold, decay)\$"
check 'DEBUG: KSMCTL start' said_at 7..7 "^KSMCTL start [0-9]+ $sleep\$"

check 'the transition is one entry with all its fields' entry '"PRIORITY":"6"' '"MESSAGE_ID":"[0-9a-f]{32}"' \
    '"SYSLOG_IDENTIFIER":"ksmtuned"' '"KSM_ACTION":"scan"' '"KSM_REASON":"(shortage|easing)"' \
    '"KSM_PAGES_TO_SCAN":"(300|64)"' "\"KSM_SLEEP_MILLISECS\":\"$sleep\"" '"KSM_FREE_KIB":"[0-9]+"' \
    "\"KSM_COMMITTED_KIB\":\"[1-9][0-9]{5}\"" "\"KSM_THRESHOLD_KIB\":\"$threshold\"" "\"KSM_TOTAL_KIB\":\"$total\"" \
    '"KSM_GUESTS":"1"'
note "$(daemon_journal -p info -o cat | head -3)"
for i in 1 2 3 4 5 6; do retune; check "decision $((i + 1)) is logged" \
    eval "[ \$(daemon_journal -o cat | grep -c '^KSMCTL start') -ge $((i + 1)) ]"; done
check 'the kernel merges' knob pages_sharing -gt $((guest_mib * 256 * 9 / 10))
note "pages_sharing $(cat $ksm/pages_sharing) of $((guest_mib * 256)), pages_to_scan $(cat $ksm/pages_to_scan)"
retune
check 'the status tells the savings in MiB' status_has '[0-9.]+ [KMG]iB'
note "$(show StatusText)"
now 'one transition, one message: ticks alone say nothing at info' \
    eval '[ $(daemon_journal -p 6..6 -o cat MESSAGE_ID | wc -l) -le 3 ] || { daemon_journal -p 6..6 -o cat; false; }'

mark
echo 777 > $ksm/pages_to_scan
retune
check 'another hand at the knobs is told, with the value that was expected and the one that was found' said '[0-9]+ .*777'
retune
retune
check '... once, and the configured policy goes on' eval 'not knob pages_to_scan -eq 777 && [ $(daemon_journal -p info -o cat | grep -c 777) = 1 ]'

no_guests
mark
retune
check 'the guest is gone: resting' resting
check '... and that is a transition' entry '"PRIORITY":"6"' '"KSM_ACTION":"stop"' '"KSM_REASON":"plenty"' '"KSM_GUESTS":"0"'

# The log file, inside the sandbox.
fresh
configure DEBUG=1 LOGFILE=/var/log/ksmtuned
start || return
date='^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} [A-Z]+ 20[0-9]{2}: '
check 'LOGFILE: the lines are there, after the date of date(1)' grep -Eq "${date}committed [0-9]+ free [0-9]+\$" /var/log/ksmtuned
now '... from the first one on' grep -Eq "${date}total $total\$" /var/log/ksmtuned
mv /var/log/ksmtuned /var/log/ksmtuned.1
lines=$(wc -l < /var/log/ksmtuned.1)
retune
check 'moved away, it still gets the lines' eval "[ \$(wc -l < /var/log/ksmtuned.1) -gt $lines ]"
lines=$(wc -l < /var/log/ksmtuned.1)
systemctl kill -s HUP ksmtuned
check 'HUP: it is opened anew' grep -Eq "${date}committed" /var/log/ksmtuned
now '... and the old one is left alone' test "$(wc -l < /var/log/ksmtuned.1)" = "$lines"
now 'no warning, no refused file' no_complaint
