# Long: a Python with avocado-vt takes its time to start in an emulated machine.
# Its KSMController is a foreign client of both units: it looks for the daemon by its name, writes to the kernel's files,
# and ends the daemon by a signal.
fresh
if [ ! -d avocado ]; then
    skip "avocado-vt's KSMController" "$(cat no-avocado)"
else
    client() { (cd avocado && HOME=/tmp PYTHONHOME=$PWD PYTHONPATH=packages LC_ALL=C timeout 300 bin/python3 -B client.py "$@") 2>&1; }
    set_knobs 0 143 43
    configure KSM_THRES_COEF=100 KSM_ON_EXIT=restore
    start || return
    check 'scanning' scanning
    out=$(client is_ksm_running get_ksmtuned_pid)
    now 'it sees that KSM runs' eval 'echo "$out"; grep -qx "is_ksm_running True" <<< "$out"'
    now '... and the unit'"'"'s process' eval 'echo "$out"; grep -qx "get_ksmtuned_pid $(pid)" <<< "$out"'
    mark
    out=$(client stop_ksm)
    now 'it stops KSM' eval 'echo "$out"; knob run -eq 0'
    retune
    check '... which is told with what was found' said_at 5..5 'changed run from 1 to 0'
    check '... and the next decision scans again' scanning
    now '... by the same process' is ActiveState active
    mark
    out=$(client stop_ksmtuned)
    check 'it ends the daemon: cleanly, and systemd starts none' clean_stop
    now '... and KSM is as it was found' eval 'knob pages_to_scan -eq 143 && knob sleep_millisecs -eq 43'
    now '... while ksm.service is active still' is ActiveState active ksm
    out=$(client get_ksmtuned_pid)
    now '... and it finds none' eval 'echo "$out"; ! grep -Eq "get_ksmtuned_pid [1-9]" <<< "$out"'
    start
    check 'the unit starts again' scanning
fi
