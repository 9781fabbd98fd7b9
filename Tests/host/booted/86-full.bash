# Long: no space in /run, /var/lib and /var/log: at start, while it runs, and when there is space again.
fresh
rm -rf /var/lib/ksmtuned /var/lib/private
small() { mkdir -p "$1"; mount -t tmpfs -o size=64k,mode=755 small "$1"; }
fill() { dd if=/dev/zero of="$1/filler" bs=4k > /dev/null 2>&1; not eval "echo x > $1/more" 2> /dev/null; rm -f "$1/more"; }
space() { rm -f "$1/filler"; }
# How many messages of the daemon match.
times_said() { daemon_journal -o cat | grep -Ec -- "$1"; }

# Where the history and the debug lines go.
small /var/lib/ksmtuned; small /var/log
now 'full: /var/lib/ksmtuned' fill /var/lib/ksmtuned
now 'full: /var/log' fill /var/log
configure $busy DEBUG=1 LOGFILE=/var/log/ksmtuned
start || return
pid=$(pid)
check 'it starts and decides all the same' resting
check 'that there is no history is told' said_at 4..4 '/var/lib/ksmtuned/history.*[Nn]o space left'
check 'that debug lines go elsewhere is told' said_at 4..4 '/var/log/ksmtuned.*[Nn]o space left'
for i in 1 2 3 4; do decides "it decides: $i"; done
now '... and complains no further' eval '[ "$(daemon_journal -p warning -o cat | tee /dev/stderr | wc -l)" = 2 ]'
note "$(daemon_journal -p warning -o cat)"
now 'ksmctl status tells what is' eval 'ksmctl status > /dev/null'
mark
space /var/lib/ksmtuned; space /var/log
systemctl reload ksmtuned
check 'space: the history begins' eval 'retune; [ "$(ksmctl history --csv | grep -c "^[0-9]")" -ge 1 ]'
check '... and the log file' eval 'grep -q "committed" /var/log/ksmtuned'
now '... without a warning' no_complaint
note "$(daemon_journal -p notice -o cat)"
mark
fill /var/lib/ksmtuned; fill /var/log
# 16 records fill the page that is there.
for i in {1..20}; do was=$(decided); retune; until [ "$(decided)" != "$was" ]; do sleep .02; done; done
check 'full while it runs: the history is told once' eval '[ "$(times_said "/var/lib/ksmtuned/history.*[Nn]o space left")" = 1 ]'
for i in {1..20}; do was=$(decided); retune; until [ "$(decided)" != "$was" ]; do sleep .02; done; done
check '... and the log file once' eval '[ "$(times_said "/var/log/ksmtuned.*[Nn]o space left")" = 1 ]'
now '... nothing else' eval '[ "$(daemon_journal -p warning -o cat | tee /dev/stderr | wc -l)" = 2 ]'
before=$(ksmctl history --csv | grep -c '^[0-9]')
space /var/lib/ksmtuned; space /var/log
check 'space again: the history goes on without being asked' eval 'retune; [ "$(ksmctl history --csv | grep -c "^[0-9]")" -gt '"$before"' ]'
check '... its end is told, once' eval '[ "$(daemon_journal -p notice -o cat | grep -v space | grep -c history)" = 1 ]'
note "$(daemon_journal -p notice -o cat)"
now 'the process is the same' is MainPID "$pid"
systemctl stop ksmtuned
umount /var/lib/ksmtuned /var/log

# Where the pid file, the lock and the state go. /run itself, as the machine has it.
fresh
configure KSM_THRES_COEF=100 KSM_ON_EXIT=restore
override RestartSec=3s
systemctl start ksm; set_knobs 0 142 42
mount -o remount,size=$(($(df --output=used -k /run | tail -1) + 256))k /run
now 'full: /run' fill /run
not systemctl start ksmtuned 2> /dev/null
now '... it does not start' eval 'not is ActiveState active'
check '... with the status of what may pass' is ExecMainStatus 71
now '... KSM is as it was' eval 'resting && knob pages_to_scan -eq 142'
now '... and nothing is left of it' eval 'not ls /run/ksmtune.pid /run/.ksmtune.pid.new'
space /run
check '... and is why in the journal' said_at 3..3 '/run/.*[Nn]o space left'
check 'space: systemd starts it without being asked' is ActiveState active
check '... scanning' scanning
mark
now 'full while it runs: /run' fill /run
for i in 1 2 3; do retune; sleep .3; done
now '... of which it needs no more' no_complaint
rm -f /run/ksmtuned/{,.}state
retune
check 'the state is removed: the next decision writes it again, where it was' [ -s /run/ksmtuned/state ]
fill /run
retune
check 'no space for another: that nobody can see the decisions is told' said_at 4..4 '/run/ksmtuned/state.* until that works'
for i in 1 2 3; do retune; sleep .3; done
now '... once' eval '[ "$(daemon_journal -p warning -o cat | tee /dev/stderr | wc -l)" = 1 ]'
space /run
decides 'space: the next decision can be seen'
check '... which is told, once' eval '[ "$(daemon_journal -p 5..5 -o cat | tee /dev/stderr | wc -l)" = 1 ]'
note "$(daemon_journal -p notice -o cat)"
systemctl stop ksmtuned
now 'stop restores' eval 'resting && knob pages_to_scan -eq 142 && knob sleep_millisecs -eq 42'
check '... cleanly' clean_stop
mount -o remount,size=20% /run
