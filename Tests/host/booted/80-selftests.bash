# The kernel's own tests of KSM: what passes here without a daemon passes beside it and after its end.
fresh
if [ ! -d selftests ]; then
    skip "the kernel's own tests" "$(cat no-selftests)"
else
    calls=('ksm_tests -M -p 10' 'ksm_tests -U' 'ksm_tests -Z -p 10 -z 0' 'ksm_tests -Z -p 10 -z 1' 'ksm_tests -N -m 1'
           'ksm_tests -M -p 10 -t 1' 'ksm_functional_tests')
    # It calls itself by a path from its folder.
    selftest() { (cd selftests && timeout 60 ./$1) > /tmp/selftest 2>&1; local status=$?; tail -3 /tmp/selftest; return $status; }
    # One that waits for the end of one pass fails now and then by itself: the pass may have begun before what it is to see.
    patiently() { selftest "$1" || selftest "$1" || selftest "$1"; }
    passing=()
    for call in "${calls[@]}"; do
        if selftest "$call" > /dev/null; then passing+=("$call"); note "without a daemon: $call passes"; else note "without a daemon: $call: $(tail -1 /tmp/selftest)"; fi
    done
    now "without a daemon some of the kernel's tests pass" test ${#passing[@]} -gt 2
    each() { for call in "${passing[@]}"; do now "$1: $call" patiently "$call"; done; }
    for how in keep stop restore unmerge; do
        fresh
        configure KSM_THRES_COEF=100 KSM_ON_EXIT=$how
        systemctl start ksmtuned
        check "$how: scanning" scanning
        systemctl stop ksmtuned
        each "after $how"
    done
    for policy in classic adaptive advisor; do
        [ $policy != advisor ] || [ -e $ksm/advisor_mode ] || { skip "beside $policy" 'this kernel has no advisor'; continue; }
        fresh
        # Without guests adaptive stops ksmd, for which the tests wait: it looks only before and after them.
        configure KSM_THRES_COEF=100 KSM_POLICY=$policy KSM_MONITOR_INTERVAL=1 KSM_STEP_IDLE=60
        start || continue
        each "beside $policy"
        now "beside $policy: it runs" is ActiveState active
    done
    [ ! -e $ksm/use_zero_pages ] || echo 0 > $ksm/use_zero_pages
fi
