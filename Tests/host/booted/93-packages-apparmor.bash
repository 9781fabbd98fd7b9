# Long: the daemon of the package under its AppArmor profile, which complains first, and then enforces.
. ./packages.bash
no_package || return
if ! grep -qx Y /sys/module/apparmor/parameters/enabled 2> /dev/null || ! command -v apparmor_parser > /dev/null; then
    skip 'AppArmor confines the daemon' "this kernel has none switched on, or there is no apparmor_parser: $(cat /sys/kernel/security/lsm)"
    return
fi
profile=/etc/apparmor.d/usr.sbin.ksmtuned
events() { journal -k -o cat | grep -E 'apparmor="(DENIED|ALLOWED)".*ksmtuned'; }
none() { events; [ -z "$(events)" ]; }
under() { cat "/proc/$(pid)/attr/current"; grep -qx "ksmtuned ($1)" "/proc/$(pid)/attr/current"; }
life() {    # life MODE
    mark
    now 'it starts' systemctl restart ksmtuned
    now "... under the profile, $1" under "$1"
    for policy in classic advisor adaptive; do
        configure DEBUG=1 LOGFILE=/var/log/ksmtuned KSM_POLICY=$policy
        now 'a reload' systemctl reload ksmtuned
        check "... to $policy" grep -qx POLICY=$policy /run/ksmtuned/state
        decides "... which decides when asked"
    done
    now 'it stops' systemctl stop ksmtuned
    now "nothing was denied, or would have been, $1" none
    now '... and it told of nothing' no_complaint
}
now 'it is installed' deb -i packages/ours.deb
now 'the profile is loaded to complain' apparmor_parser -r -C $profile
life complain
now 'the profile is loaded to enforce' apparmor_parser -r $profile
life enforce
# Else nothing could be told from silence.
mkdir -p /srv
override ReadWritePaths=/srv
configure DEBUG=1 LOGFILE=/srv/log
mark
now 'it starts with a log in another place' systemctl restart ksmtuned
check '... which the profile denies' eval 'events | grep -q DENIED'
check '... and the daemon tells' said_at 3..4 '/srv/log'
now 'it is purged' deb --purge ksmtuned
