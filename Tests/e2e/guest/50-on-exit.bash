# KSM_ON_EXIT, and the advisor put back.
fresh
guest $guest_mib
for how in keep stop restore unmerge; do
    configure KSM_THRES_COEF=100 $fast KSM_ON_EXIT=$how
    systemctl start ksm; set_knobs 0 140 40
    mark
    systemctl start ksmtuned
    check "$how: scanning" scanning
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
systemctl start ksm; echo 0 > $ksm/run
no_guests

if [ -e $ksm/advisor_mode ]; then
    for how in keep restore; do
        fresh
        configure KSM_THRES_COEF=100 KSM_ON_EXIT=$how
        echo scan-time > $ksm/advisor_mode
        systemctl start ksmtuned
        check "advisor, $how: the daemon takes the pace" scanning
        now "advisor, $how: its mode is none meanwhile" grep -Fq '[none]' $ksm/advisor_mode
        now "advisor, $how: no warning of a refused write" eval '! said_at "[0-4]" "Invalid argument|EINVAL"'
        systemctl stop ksmtuned
        now "advisor, $how: put back at the stop" grep -Fq '[scan-time]' $ksm/advisor_mode
    done
else
    skip 'the advisor is taken and put back' 'this kernel has none'
fi
