# A write to run waits for the batch that ksmd is scanning, here a whole pass of more than a second where the guest is
# emulated.  Meanwhile signals come, also to the child that writes: `systemctl kill` means every process of a unit.
fresh
slow="KSM_SLEEP_MSEC=0 KSM_NPAGES_BOOST=4000000 KSM_NPAGES_MAX=4000000"
guest $guest_mib 0 --unique 90
configure KSM_THRES_COEF=100 $slow
start || return
check 'scanning in batches of a whole pass' scanning
pid=$(pid)
began=$(uptime); echo 1 > $ksm/run; note "a write to run lasted from $began to $(uptime)"
mark
for coefficient in 1 100 1 100 1 100; do
    configure KSM_THRES_COEF=$coefficient $slow
    systemctl reload ksmtuned
    retune; retune
done
configure KSM_THRES_COEF=1 $slow
now 'reload, with a write under way' systemctl reload ksmtuned
check 'what was decided last is what KSM does in the end' resting
now 'the process is the same' is MainPID "$pid"
now 'USR1 to the whole unit ends no write' not said 'ended by signal'
configure KSM_THRES_COEF=100 $slow KSM_ON_EXIT=stop
systemctl reload ksmtuned
check 'scanning again' scanning
mark
systemctl stop ksmtuned
check 'a stop with a write under way is a clean one' clean_stop
check '... and KSM rests' resting
