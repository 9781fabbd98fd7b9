# Long: journald restarted, killed, hung, and not there.
fresh
configure $busy
start || return
pid=$(pid)
told() {        # told TEXT: a message that comes now is in the journal
    mark
    systemctl reload ksmtuned
    check "$1" said 'configuration reloaded'
}
sockets=$(systemctl list-units --plain --no-legend 'systemd-journald*.socket' | cut -d' ' -f1 | paste -sd' ')
told 'a message is in the journal'
systemctl restart systemd-journald
told 'journald restarted: the next message is, too'
systemctl kill -s KILL systemd-journald
check 'journald killed: it is started again' eval 'is ActiveState active systemd-journald && ! is NRestarts 0 systemd-journald'
told '... and a message arrives'

# journald hangs: its socket fills, with 512 messages of which a decision sends four and more, and nobody reads.
mark
configure $busy DEBUG=1
systemctl reload ksmtuned
systemctl kill -s STOP systemd-journald
for ((i = 0; i < 140; i++)); do was=$(decided); kill -USR1 "$pid"; for ((n = 0; n < 200; n++)); do [ "$(decided)" = "$was" ] || break; done; done
decides 'journald hangs: it decides all the same'
systemctl kill -s CONT systemd-journald
told '... and goes on, a message arrives'
now '... the process is the same' eval "is MainPID $pid && is NRestarts 0"
configure $busy

# What is said while journald starts waits in its socket.
mark
systemctl stop systemd-journald 2> /dev/null
systemctl reload ksmtuned
check 'journald stopped, which its socket starts: no message is lost' said 'configuration reloaded'

# Neither journald nor its sockets.
systemctl mask --runtime -q systemd-journald.service $sockets
systemctl stop $sockets systemd-journald 2> /dev/null
now 'journald is not there' eval 'is ActiveState inactive systemd-journald && not pgrep -x systemd-journal'
rm -f /run/systemd/journal/socket
for i in 1 2 3; do decides "without journald it decides: $i"; done
configure KSM_THRES_COEF=100
now '... is reloaded' systemctl reload ksmtuned
check '... and scans then' scanning
now '... the process is the same' is MainPID "$pid"
systemctl stop ksmtuned
now '... it can be stopped' is ActiveState inactive
now '... and started' systemctl start ksmtuned
decides '... and decides'
now '... with KSM scanning' scanning
systemctl stop ksmtuned

# As the service manager starts it, with standard error where it can be read.
: > /tmp/stderr
by_hand() { JOURNAL_STREAM=$(stat -Lc %d:%i /tmp/stderr) ksmtuned "$@" 2> /tmp/stderr; }
configure KSM_THRES_COEF=100
by_hand --once
now 'what the journal cannot be told goes to standard error' eval 'cat /tmp/stderr; grep -q "^ksmtuned: scanning" /tmp/stderr'
printf '%s\n' KSM_THRES_COEF=many > $conf
now '... a refusal, too' eval 'by_hand --once; [ $? = 78 ] && grep "conf:1" /tmp/stderr'
touch /run/systemd/journal/socket
now '... also where something else is in its place' eval 'by_hand --once; [ $? = 78 ] && grep "conf:1" /tmp/stderr'
rm /run/systemd/journal/socket

systemctl unmask --runtime -q systemd-journald.service $sockets
systemctl start $sockets systemd-journald
check 'journald is back' is ActiveState active systemd-journald
fresh
configure $busy
start || return
told '... and a message arrives'
now 'no warning' no_complaint
