# Reload, and what is wrong with a configuration.
fresh
configure KSM_THRES_COEF=20
start || return
check 'not scanning with a low threshold' status_has '^not scanning'
pid=$(pid)
configure KSM_THRES_COEF=100
now 'reload' systemctl reload ksmtuned
check 'the new configuration is in effect at once' scanning
check '... and the unit is active, not reloading' is ActiveState active
now '... and the process the same' is MainPID "$pid"

mark
printf '%s\n' KSM_MONITOR_INTERVAL=1h KSM_THRES_COEF=twenty KSM_SLEEP_MSEC=0x10 > $conf
systemctl reload ksmtuned
check 'broken at reload: the first error names file and line' said '/etc/ksmtuned\.conf:2(:[0-9]+)?: '
check '... and so does the second' said '/etc/ksmtuned\.conf:3(:[0-9]+)?: '
check '... as errors' said_at 3..3 '/etc/ksmtuned\.conf:2'
check '... and the status tells it' status_has '(previous|old|last|kept|keeping|refused|invalid|not used).*'
note "$(show StatusText)"
now '... the unit is active' is ActiveState active
now '... the process the same' is MainPID "$pid"
retune
check '... the old configuration rules' scanning
note "$(daemon_journal -p err -o cat | head -3)"

mark
configure KSM_THRES_COEF=20
systemctl reload ksmtuned
check 'repaired: accepted' resting
check '... and the status is an ordinary one again' status_has '^not scanning'
now '... and the status has no word of the error' not status_has '(previous|refused|invalid)'

mkdir -p /etc/ksmtuned.conf.d
echo KSM_THRES_COEF=100 > /etc/ksmtuned.conf.d/50-e2e.conf
systemctl reload ksmtuned
check 'a file of ksmtuned.conf.d overrides' scanning
echo KSM_THRES_COEF=20 > /etc/ksmtuned.conf.d/60-e2e.conf
echo KSM_THRES_COEF=100 > /etc/ksmtuned.conf.d/70-e2e.ignored
systemctl reload ksmtuned
check '... the last name wins, and only names ending in .conf count' resting
mark
echo 'KSM_NPAGES_MAX=many' > /etc/ksmtuned.conf.d/60-e2e.conf
systemctl reload ksmtuned
check 'an error there names that file' said '/etc/ksmtuned\.conf\.d/60-e2e\.conf:1'

# At start.
fresh
printf '%s\n' 'KSM_THRES_COEF=twenty' '# between' 'KSM_NPAGES_BOOST=1e3' > $conf
now 'broken at start: systemctl start fails' not systemctl start ksmtuned
now '... the unit has failed and waits for no restart' eval 'is ActiveState failed && is SubState failed && is NRestarts 0'
now '... exit status 78' is ExecMainStatus 78
check '... the first error is in the journal' said_at 3..3 '/etc/ksmtuned\.conf:1(:[0-9]+)?: '
check '... and the last' said_at 3..3 '/etc/ksmtuned\.conf:3(:[0-9]+)?: '
now 'ksmtuned --check-config says the same: 78' eval 'out=$(ksmtuned --check-config 2>&1); [ $? = 78 ] && grep -q conf:3 <<< "$out"'
if ksmctl_has check-config; then
    now 'ksmctl check-config too' eval 'out=$(ksmctl check-config 2>&1); [ $? = 78 ] && grep -q conf:3 <<< "$out"'
else
    skip 'ksmctl check-config too' 'this ksmctl has none'
fi
touch /tmp/ran.not
echo 'KSM_THRES_COEF=$(rm /tmp/ran.not)' > $conf
not systemctl start ksmtuned 2> /dev/null
now 'a command in the configuration is refused' is ExecMainStatus 78
now '... and not run' test -e /tmp/ran.not
cp /tmp/shipped.conf $conf
now 'the shipped file is right' ksmtuned --check-config
