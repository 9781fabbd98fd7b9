# The kernel's own settings of KSM, two of which it changes only while nothing is merged: with pages that are.
# The machine has one NUMA node, for which merge_across_nodes is there as well.
knobs_are() {   # knobs_are MERGE_ACROSS_NODES MAX_PAGE_SHARING USE_ZERO_PAGES SMART_SCAN
    local seen; seen=$(cat $ksm/{merge_across_nodes,max_page_sharing,use_zero_pages,smart_scan} 2>&1 | paste -sd' ')
    echo "merge_across_nodes max_page_sharing use_zero_pages smart_scan: $seen"
    [ "$seen" = "$*" ]
}
found() { grep "^FOUND_$1=" /run/ksmtuned/state || { cat /run/ksmtuned/state; false; }; }
merged() { knob pages_sharing -gt $((guest_mib * 256 * 9 / 10)); }
knobs_as_booted() {
    fresh
    echo 1 > $ksm/merge_across_nodes; echo 256 > $ksm/max_page_sharing
    echo 0 > $ksm/use_zero_pages; echo 1 > $ksm/smart_scan
    mark
}
if [ ! -e $ksm/smart_scan ] || [ ! -e $ksm/merge_across_nodes ]; then
    fresh
    configure KSM_SMART_SCAN=no
    start || return
    [ -e $ksm/smart_scan ] || check 'a knob that this kernel does not have is told' said_at 4..4 'no smart_scan .*6\.7'
    skip 'the rest of the knobs' 'this kernel does not have them all'
    return
fi

# Nothing is merged.
knobs_as_booted
configure $busy KSM_MERGE_ACROSS_NODES=no KSM_MAX_PAGE_SHARING=512 KSM_USE_ZERO_PAGES=yes KSM_SMART_SCAN=no
start || return
now 'all four are set at start' knobs_are 0 512 1 0
check '... which is told' said_at 5..5 'max_page_sharing is 512 now, and was 256'
check 'what they were is in the state file' eval 'found MERGE_ACROSS_NODES && found MAX_PAGE_SHARING && found USE_ZERO_PAGES && found SMART_SCAN'
now '... with its values' eval '[ "$(grep -E "^FOUND_(MERGE|MAX|USE|SMART)" /run/ksmtuned/state | cut -d= -f2 | paste -sd" ")" = "1 256 0 1" ]'
configure $busy KSM_SMART_SCAN=no
systemctl reload ksmtuned
now 'three are set no more: they go back' knobs_are 1 256 0 0
now '... and leave the state file' eval 'found SMART_SCAN && not found MAX_PAGE_SHARING'
systemctl stop ksmtuned
now 'KSM_ON_EXIT=keep leaves them' knobs_are 1 256 0 0
now 'no warning' no_complaint

# With merged pages, and no leave to unmerge them.
knobs_as_booted
override RestartSec=100ms
guest $guest_mib
configure KSM_THRES_COEF=100 $fast
start || return
pid=$(pid)
check 'a guest is merged' merged
mark
configure KSM_THRES_COEF=100 $fast KSM_MAX_PAGE_SHARING=512 KSM_MERGE_ACROSS_NODES=no KSM_USE_ZERO_PAGES=yes
now 'reload' systemctl reload ksmtuned
check 'what needs nothing merged waits, the rest is set' knobs_are 1 256 1 1
check '... which is told, with what to do' said_at 4..4 'max_page_sharing stays 256 .*KSM_ALLOW_UNMERGE=yes'
now '... and nothing is unmerged' merged
note "$(daemon_journal -p warning -o cat)"
sleep 11; retune; sleep 1; retune; sleep 1
now '... once' eval '[ $(daemon_journal -p warning -o cat | wc -l) = 2 ] || { daemon_journal -p warning -o cat; false; }'
now 'the kernel itself refuses: EBUSY' eval 'not eval "echo 512 > $ksm/max_page_sharing" && knob max_page_sharing -eq 256'

# With leave.
mark
configure KSM_THRES_COEF=100 $fast KSM_MAX_PAGE_SHARING=512 KSM_MERGE_ACROSS_NODES=no KSM_ALLOW_UNMERGE=yes KSM_ON_EXIT=restore
now 'reload, with leave to unmerge' systemctl reload ksmtuned
check 'the knobs are set' knobs_are 0 512 0 1
check '... after everything was unmerged, which is told' said_at 5..5 'unmerging [0-9.]+ MiB'
note "$(daemon_journal -p notice -o short-monotonic)"
check 'KSM scans again without being asked' scanning
check '... and the guest is merged again' merged
now 'the process is the same, and the guest lives' eval 'is MainPID '"$pid"' && kill -0 "${guests[@]}"'
now 'no warning' no_complaint
systemctl kill -s KILL ksmtuned
check 'killed: restarted' is NRestarts 1
# All that follows holds from before, too: it must have come as far as its own first decision.
check '... and ready' is ActiveState active
check '... and what was found the first time is still known' eval '[ "$(found MAX_PAGE_SHARING)" = FOUND_MAX_PAGE_SHARING=256 ] && found MERGE_ACROSS_NODES'
check '... and scanning' scanning
check 'the guest is merged' merged
mark
systemctl stop ksmtuned
now 'restore: the knobs are put back, for which everything is unmerged' knobs_are 1 256 0 1
now '... and run is as it was found' knob run -eq 1
check '... cleanly' clean_stop
now '... without a warning' no_complaint

# Stopped before the one that systemd started for a killed one is ready.
knobs_as_booted
configure $busy KSM_MAX_PAGE_SHARING=512 KSM_SMART_SCAN=no KSM_ON_EXIT=restore
override RestartSec=100ms
start || return
now 'two knobs are set' knobs_are 1 512 0 0
# restarted PID: systemd has started another, which has come so far that it takes TERM itself.
restarted() {
    local new blocked; new=$(pid)
    [ "$new" != 0 ] && [ "$new" != "$1" ] && read -r blocked < <(sed -n 's/^SigBlk:[[:space:]]*//p' /proc/"$new"/status) &&
        [ "$(cat /proc/"$new"/comm)" = ksmtuned ] && [ $((0x$blocked & 1 << 14)) != 0 ]
}
for i in 1 2 3; do
    before=$(pid)
    systemctl kill -s KILL ksmtuned
    check "killed, and started again: $i" restarted "$before"
    systemctl stop ksmtuned
    now '... and stopped at once: as found' knobs_are 1 256 0 1
    systemctl start ksmtuned
    now '... and set by the next' knobs_are 1 512 0 0
done
# A process that has not come to its own program yet just ends. The next daemon knows all the same what was found.
systemctl kill -s KILL ksmtuned
check 'killed, and to be started again' is NRestarts 1
systemctl stop ksmtuned
systemctl start ksmtuned
now '... and stopped before that, and started: set' knobs_are 1 512 0 0
systemctl stop ksmtuned
now '... and put back as they were before the first one' knobs_are 1 256 0 1

# An end in the middle of it.
knobs_as_booted
guest $guest_mib
configure KSM_THRES_COEF=100 $fast
start || return
check 'a guest is merged' merged
configure KSM_THRES_COEF=100 $fast KSM_MAX_PAGE_SHARING=512 KSM_ALLOW_UNMERGE=yes
mark
systemctl reload ksmtuned
systemctl stop ksmtuned
now 'a stop right behind the reload: the knob is set all the same' knobs_are 1 512 0 1
now '... and KSM left scanning, as was decided' scanning
check '... cleanly' clean_stop
now '... without a warning' no_complaint

# The adaptive policy merges anew what was unmerged.
knobs_as_booted
guest $guest_mib
configure KSM_POLICY=adaptive
start || return
limit=60 check 'adaptive: a guest is merged' merged
configure KSM_POLICY=adaptive KSM_MAX_PAGE_SHARING=512 KSM_ALLOW_UNMERGE=yes
mark
systemctl reload ksmtuned
check 'adaptive: the knob is set' knobs_are 1 512 0 1
check '... and the guest is merged again, as soon as the first time' merged
limit=60 check '... and KSM comes to rest' resting
note "$(daemon_journal -p info -o short-monotonic | cut -c1-200)"
now 'no warning' no_complaint

# ksmd is scheduled in another way while it scans, from inside the sandbox, and has its own back.
scheduled() { local seen; seen=$(awk '{ sub(/.*\) /, ""); print $39, $17 }' /proc/"$(pgrep -x ksmd)"/stat); echo "policy and nice: $seen"; [ "$seen" = "$*" ]; }
for settings in KSM_KSMD_SCHEDULING=idle 'KSM_KSMD_SCHEDULING="nice 12"'; do
    knobs_as_booted
    override RestartSec=100ms
    guest $guest_mib
    configure KSM_THRES_COEF=100 $fast "$settings"
    start || return
    [ "$settings" = KSM_KSMD_SCHEDULING=idle ] && wanted='5 5' || wanted='0 12'
    check "$settings: ksmd has it" scheduled $wanted
    now '... and what it had is in the state file' eval 'found KSMD_POLICY && found KSMD_NICE'
    systemctl kill -s KILL ksmtuned
    check '... also by the one that systemd starts for a killed one' eval 'is NRestarts 1 && is ActiveState active && scheduled $wanted'
    systemctl stop ksmtuned
    now '... and at the end ksmd has its own again' scheduled 0 5
    now 'no warning' no_complaint
done

# Put back without leave.
no_guests
knobs_as_booted
configure KSM_THRES_COEF=100 $fast KSM_MAX_PAGE_SHARING=512 KSM_ON_EXIT=restore
start || return
now 'set while nothing is merged' knobs_are 1 512 0 1
guest $guest_mib
retune
check 'a guest is merged' merged
mark
systemctl stop ksmtuned
now 'restore without leave to unmerge: it stays' knobs_are 1 512 0 1
now '... with its pages' merged
check '... which is told' said_at 4..4 'max_page_sharing stays 512 .*not put back to 256'
check '... and kept for the next one' grep -q '^FOUND_MAX_PAGE_SHARING=256$' /run/ksmtuned/state
check '... cleanly' clean_stop

# A change that had to wait, and another hand.
knobs_as_booted
guest $guest_mib
configure KSM_THRES_COEF=100 $fast
start || return
check 'a guest is merged' merged
configure KSM_THRES_COEF=20 KSM_MAX_PAGE_SHARING=512 KSM_SMART_SCAN=no
systemctl reload ksmtuned
check 'it waits' eval 'knobs_are 1 256 0 0 && resting'
no_guests
echo 2 > $ksm/run
sleep 11
mark
echo 1 > $ksm/smart_scan
retune
check 'nothing is merged any more: it is set at a later decision' knobs_are 1 512 0 0
check 'another hand at a knob is told' said_at 5..5 'changed smart_scan from 0 to 1'

# A dry run says all of it.
knobs_as_booted
guest $guest_mib
configure KSM_THRES_COEF=100 $fast
start || return
check 'a guest is merged' merged
systemctl stop ksmtuned
configure KSM_THRES_COEF=100 KSM_MAX_PAGE_SHARING=512 KSM_ALLOW_UNMERGE=yes
now 'a dry run says that it would unmerge, and set the knob' \
    eval 'out=$(ksmtuned --dry-run --once 2>&1); echo "$out"; grep -q "would write 2 to .*/run" <<< "$out" && grep -q "would write 512 to .*/max_page_sharing" <<< "$out"'
now '... and does neither' eval 'merged && knobs_are 1 256 0 1'
now '--once does it' eval 'ksmtuned --once && knobs_are 1 512 0 1'
now '... and leaves KSM scanning' scanning
knobs_as_booted
