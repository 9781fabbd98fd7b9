# LOGFILE under logrotate, which asks for a reload; and with copytruncate, which asks for nothing.
fresh
configure KSM_THRES_COEF=20 DEBUG=1 LOGFILE=/var/log/ksmtuned
start || return
log=/var/log/ksmtuned pid=$(pid)
lines() { cat "$@" 2> /dev/null | grep -c committed; }
check 'debug lines are in the file' eval '[ "$(lines $log)" = 1 ]'
rotate() {
    printf '%s\n' "$log {" "    rotate 3" "$@" '}' > /tmp/logrotate.conf
    chmod 644 /tmp/logrotate.conf
    logrotate --force --state /tmp/logrotate.state /tmp/logrotate.conf
}
now 'logrotate, with a reload behind it' rotate nocompress postrotate '    systemctl reload ksmtuned' endscript
check 'the next line is in a new file' eval '[ "$(lines $log)" = 1 ]'
now '... for everybody to read' eval '[ "$(stat -c %a $log)" = 644 ]'
decides 'it decides'
check '... and tells it there' eval '[ "$(lines $log)" = 2 ]'
now '... and the old one is as it was' eval '[ "$(lines $log.1)" = 1 ]'
held() { readlink /proc/"$pid"/fd/* | grep -c "^$log"; }
now 'it holds the new file, and no other' eval 'readlink /proc/$pid/fd/* | grep "^$log"; [ "$(held)" = 1 ] && readlink /proc/$pid/fd/* | grep -qx $log'
now 'logrotate with create and another mode' rotate nocompress 'create 0600 root root' postrotate '    systemctl reload ksmtuned' endscript
check '... is respected' eval '[ "$(lines $log)" = 1 ] && [ "$(stat -c %a $log)" = 600 ]'
now 'logrotate with copytruncate, and no reload' rotate nocompress copytruncate
decides 'it decides'
check '... the file begins anew, without a hole' eval '[ "$(lines $log)" = 1 ] && [ "$(tr -d "\0" < $log | wc -c)" = "$(stat -c %s $log)" ]'
now 'no decision was lost' eval '[ "$(lines $log $log.1 $log.2 $log.3)" = 5 ]'
# The file, and its folder, are gone.
rm $log
systemctl reload ksmtuned
check 'removed: a reload makes it again' eval '[ "$(lines $log)" = 1 ]'
now 'the process is the same' eval "is MainPID $pid && is NRestarts 0"
now 'no warning' no_complaint
