# KSM_ON_EXIT, and the advisor put back.
fresh
guest $guest_mib
for how in keep stop restore unmerge; do
    configure KSM_THRES_COEF=100 $fast KSM_ON_EXIT=$how
    systemctl start ksm; set_knobs 0 140 40
    mark
    systemctl start ksmtuned
    check "$how: scanning" scanning || break
    check "$how: the kernel merges" knob pages_sharing -gt 10000
    pages=$(cat $ksm/pages_to_scan)
    systemctl stop ksmtuned
    check "$how: stopped, clean" clean_stop
    now "$how: the pid file is gone" test ! -e /var/run/ksmtune.pid
    case $how in
    keep) now "$how: run stays 1, pages_to_scan $pages" eval 'knob run -eq 1 && knob pages_to_scan -eq '"$pages" ;;
    stop) now "$how: run is 0" knob run -eq 0
          now "$how: what is merged stays merged" knob pages_sharing -gt 10000 ;;
    restore) now "$how: run, pages_to_scan and sleep_millisecs as before" \
          eval 'knob run -eq 0 && knob pages_to_scan -eq 140 && knob sleep_millisecs -eq 40' ;;
    unmerge) now "$how: nothing is merged" knob pages_sharing -eq 0
          now "$how: and KSM does not scan" knob run -ne 1 ;;
    esac
    now "$how: no warning" no_complaint
done

# There must be room for the copies.  What is not called like a virtual machine is no guest, but takes memory too.
systemctl start ksm; set_knobs 0 140 40
mark
systemctl start ksmtuned
check 'unmerge without room: the guest is merged' knob pages_sharing -gt $((guest_mib * 256 * 9 / 10))
cp /usr/bin/qemu-system-x86_64 /tmp/other
available=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
: > /tmp/ready
/tmp/other --unique 100 $((available - guest_mib / 2)) > /tmp/ready & guests+=($!)
limit=60 check "... and another process has taken all but $((guest_mib / 2)) of $available MiB" grep -q ready /tmp/ready
systemctl stop ksmtuned
now '... the guest stays merged' knob pages_sharing -gt $((guest_mib * 256 * 9 / 10))
check '... which is told' said_at 3..4 '([Rr]efus|not unmerg|unmerg.*(not|room|memory))'
check '... and the stop is a clean one' clean_stop
now '... the guest and the other process live' kill -0 "${guests[@]}"
note "$(daemon_journal -p warning -o cat)"

if [ -e $ksm/advisor_mode ]; then
    for how in keep restore; do
        fresh
        configure KSM_THRES_COEF=100 KSM_ON_EXIT=$how
        echo scan-time > $ksm/advisor_mode
        systemctl start ksmtuned
        check "advisor, $how: the daemon takes the pace" scanning
        now "advisor, $how: its mode is none meanwhile" grep -Fq '[none]' $ksm/advisor_mode
        now "advisor, $how: no warning of a refused write" eval '! said_at 0..4 "Invalid argument|EINVAL"'
        systemctl stop ksmtuned
        now "advisor, $how: put back at the stop" grep -Fq '[scan-time]' $ksm/advisor_mode
    done
else
    skip 'the advisor is taken and put back' 'this kernel has none'
fi
