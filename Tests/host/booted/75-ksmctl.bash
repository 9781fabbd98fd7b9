# The operator's tool beside the unit: what it says is what the kernel says, and what it does arrives.
fresh
rm -rf /var/lib/ksmtuned
configure $fast $busy
start || return
value() { sed -n "s/^ *\"$1\" : \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" | head -1; }   # of --json
field() { ksmctl status --json | value "$1"; }

now 'ksmctl status exits with 0' eval 'ksmctl status > /dev/null'
now '... and names the pid' eval '[ "$(field pid)" = "$(pid)" ]'
now 'ksmctl explain tells why not' eval "ksmctl explain | grep 'both hold, so KSM need not scan'"
guest $guest_mib
now 'ksmctl retune' ksmctl retune
check '... has it decide: scanning' scanning
check 'ksmctl explain tells why' eval "ksmctl explain | grep 'not both hold, so KSM scans'"
check 'the kernel merges' knob pages_sharing -gt $((guest_mib * 256 * 9 / 10))
ksmctl stop                         # so that the counters stand still
now 'pages_sharing of the status is the kernel'\''s' eval '[ "$(field pages_sharing)" = "$(cat $ksm/pages_sharing)" ]'
now '... and the profit' eval '[ ! -e $ksm/general_profit ] || [ "$(field profit_bytes)" = "$(cat $ksm/general_profit)" ]'
now '... and what is saved' eval '[ "$(field saved_bytes)" = $((($(cat $ksm/pages_sharing) + $(cat $ksm/ksm_zero_pages 2> /dev/null || echo 0)) * 4096)) ]'
now 'ksmctl guests has one' eval '[ "$(ksmctl guests --json | grep -c "\"pid\" : ${guests[0]},")" = 1 ]'
now '... with what is merged of it' eval \
    '[ ! -e /proc/${guests[0]}/ksm_merging_pages ] || [ "$(ksmctl guests --json | value merged_bytes)" = $(($(cat /proc/${guests[0]}/ksm_merging_pages) * 4096)) ]'
now '... as nobody too, who is told what he cannot see' eval 'as_nobody ksmctl guests | tee /dev/stderr | grep -i root'
now 'ksmctl doctor finds the daemon in charge, whatever else' eval \
    'ksmctl doctor > /tmp/doctor; [ $? -le 2 ] && grep -Eq "^OK +Daemon" /tmp/doctor'
note "$(grep -Ev '^ *OK' /tmp/doctor | head -20)"
now 'ksmctl plan plans this host' eval 'ksmctl plan > /tmp/plan; [ $? -le 2 ] && grep -q swap /tmp/plan'

now 'the history is in /var/lib/ksmtuned' [ -s /var/lib/ksmtuned/history ]
now '... and readable for everybody' eval 'as_nobody ksmctl history --csv | grep -c scan'
now '... and can be plotted' eval 'ksmctl plot --svg /tmp/plot.svg && grep -q "</svg>" /tmp/plot.svg'
records=$(ksmctl history --csv | wc -l)
kill -KILL "$(pid)"
check 'killed at any moment: systemd starts it again' eval 'is ActiveState active && ! is NRestarts 0'
check '... and the history goes on' eval '[ "$(ksmctl history --csv | wc -l)" -gt "$records" ]'

printf '%s\n' KSM_THRES_COEF=many > $conf
now 'ksmctl reload of a wrong configuration: 78' eval 'ksmctl reload; [ $? = 78 ]'
configure KSM_THRES_COEF=25
mark
now 'ksmctl reload' ksmctl reload
check '... arrives' said 'configuration reloaded'
now 'ksmctl show-config says from which line' eval "ksmctl show-config --changed | grep -E '^KSM_THRES_COEF +25 +$conf:2\$'"

systemctl stop ksmtuned
now 'without the daemon the status exits with 3' eval 'ksmctl status > /tmp/status; [ $? = 3 ]'
now '... and says that all comes from the kernel' grep "live kernel" /tmp/status
now 'ksmctl retune says that there is nobody: 69' eval 'ksmctl retune; [ $? = 69 ]'
merged=$(cat $ksm/pages_sharing)
now 'something is merged still' [ "$merged" -gt 0 ]
now 'ksmctl unmerge' eval 'ksmctl unmerge | tee /dev/stderr | grep unmerged'
now '... leaves nothing merged' knob pages_sharing -eq 0
now '... and KSM unmerged' knob run -eq 2
no_guests
