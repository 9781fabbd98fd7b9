# What the cases share.  A case is a file of this folder; it starts with `fresh` and states facts with `check`.

ksm=/sys/kernel/mm/ksm
conf=/etc/ksmtuned.conf
limit=20                    # seconds that a condition may take to come true; a busy machine emulates slowly
patience=120                # seconds that failures may wait in all; after them each has its first moment only
passed=0 failed=0 skipped=0
guests=() hogs=()

uptime() { cut -d' ' -f1 /proc/uptime; }

# check TEXT COMMAND...: the command must succeed within the limit; it is tried again until then.
check() {
    local text=$1 began=$SECONDS limit=$limit; shift
    [ $patience -gt 0 ] || limit=$((limit < 2 ? limit : 2))
    until "$@" > /tmp/last 2>&1; do
        if [ $((SECONDS - began)) -ge $limit ]; then
            failed=$((failed + 1)) patience=$((patience - limit))
            echo "FAIL $(uptime) $text"
            echo "     $*" | head -3 | cut -c1-200
            tail -5 /tmp/last | cut -c1-200 | sed 's/^/     | /'
            evidence > /tmp/evidence.new
            cmp -s /tmp/evidence.new /tmp/evidence || sed 's/^/     > /' /tmp/evidence.new
            mv /tmp/evidence.new /tmp/evidence
            return 1
        fi
        sleep .05
    done
    passed=$((passed + 1))
    echo "ok   $(uptime) $text"
}

# now TEXT COMMAND...: the command must succeed at once: for what must hold already, or hold still.
now() { local limit=0; check "$@"; }

skip() { skipped=$((skipped + 1)); echo "skip $(uptime) $1: $2"; }
note() { sed 's/^/     /' <<< "$*"; }

# What a reader of a failure needs first.
evidence() {
    systemctl show -p ActiveState,SubState,Result,MainPID,ExecMainStatus,NRestarts,StatusText ksmtuned | paste -sd' '
    echo "$(grep -H . $ksm/{run,pages_to_scan,sleep_millisecs,pages_sharing} | sed "s#$ksm/##" | paste -sd' ')"
    journalctl -u ksmtuned -u ksm -n 6 -o short-monotonic --no-pager 2>&1 | cut -c1-220
}

show() { systemctl show -P "$1" "${2:-ksmtuned}"; }
is() { local seen; seen=$(show "$1" "${3:-}"); echo "$1 is $seen"; [ "$seen" = "$2" ]; }
status_has() { local seen; seen=$(show StatusText); echo "$seen"; [[ $seen =~ $1 ]]; }
knob() { local seen; seen=$(cat $ksm/"$1"); echo "$1 is $seen"; [ "$seen" "$2" "$3" ]; }
not() { ! "$@"; }
pid() { show MainPID; }
ksmctl_has() { ksmctl --help 2> /dev/null | grep -Eq "^ +$1( |\$)"; }

# The journal from `mark` on.  (Not by cursor: with a match, journalctl 252 skips the first entry after it.)
mark() { journalctl --sync; since=$(date +@%s.%6N); }
journal() { journalctl -q --no-pager ${since:+--since="$since"} "$@"; }
daemon_journal() { journal SYSLOG_IDENTIFIER=ksmtuned "$@"; }
said() { daemon_journal -o cat | tee /dev/stderr | grep -Eq -- "$1"; }
said_at() { daemon_journal -o cat -p "$1" | tee /dev/stderr | grep -Eq -- "$2"; }   # said_at PRIORITY REGEX: 3..3, or a range
systemd_said() { journal -u ksmtuned _PID=1 -o cat | tee /dev/stderr | grep -Eq -- "$1"; }
# No warning and no error of the daemon, nothing killed by seccomp.
no_complaint() {
    daemon_journal -p warning -o cat
    journal -k -o cat | grep -E 'audit.*type=1326|SECCOMP'
    [ -z "$(daemon_journal -p warning -o cat; journal -k -o cat | grep -E 'audit.*type=1326|SECCOMP')" ]
}
# entry REGEX...: one journal entry of the daemon matches all of them.
entry() {
    local json; json=$(daemon_journal -o json)
    for regex; do json=$(grep -E -- "$regex" <<< "$json"); done
    [ -n "$json" ] || { daemon_journal -o json | tail -3; return 1; }
}

# configure LINE...: the whole of /etc/ksmtuned.conf.  No tick comes by itself: USR1 asks for each decision.
configure() { printf '%s\n' KSM_MONITOR_INTERVAL=1h "$@" > $conf; }
retune() { systemctl kill -s USR1 ksmtuned; }
override() {    # override SETTING=VALUE...: a drop-in of the unit
    mkdir -p /run/systemd/system/ksmtuned.service.d
    printf '%s\n' '[Service]' "$@" > /run/systemd/system/ksmtuned.service.d/e2e.conf
    systemctl daemon-reload
}
set_knobs() { echo "$1" > $ksm/run; echo "$2" > $ksm/pages_to_scan; echo "$3" > $ksm/sleep_millisecs; }

# guest MIB [UID [OPTION...]]: a process that looks like a virtual machine, its memory full of equal pages.
guest() {
    local mib=$1 uid=${2:-0}; shift $(($# > 2 ? 2 : $#))
    : > /tmp/ready
    setpriv --reuid "$uid" --regid "$uid" --clear-groups /usr/bin/qemu-system-x86_64 "$@" "$mib" > /tmp/ready &
    guests+=($!)
    limit=60 check "a guest of $mib MiB as user $uid is up" grep -q ready /tmp/ready
}
no_guests() { [ ${#guests[@]} = 0 ] || { kill -KILL "${guests[@]}"; wait "${guests[@]}" 2>/dev/null; }; guests=(); }

# hog NAME MIB [SETTING...]: NAME.service, which takes that much memory at once that nobody can merge, and is no guest: dd
# holds a block for which nobody reads. A unit of its own: a process that is killed for memory ends the whole unit that it
# is in. dd is its main process, since systemd 252 does not hear of the second time that another one is killed.
hog() {
    local name=$1 mib=$2; shift 2
    printf '%s\n' '[Unit]' StartLimitIntervalSec=0 '[Service]' \
        "ExecStart=/bin/bash -c 'exec dd if=/dev/zero bs=${mib}M count=1 > >(exec sleep infinity)'" "$@" > /run/systemd/system/"$name".service
    systemctl daemon-reload
    hogs+=("$name")
    systemctl start "$name"
}
no_hogs() {
    [ ${#hogs[@]} = 0 ] || { systemctl stop "${hogs[@]}"; (cd /run/systemd/system && rm "${hogs[@]/%/.service}"); systemctl daemon-reload; }
    hogs=()
}
# How often the kernel has killed for memory: on the host, or in the control group of a unit.
oom_kills() { awk '$1 == "oom_kill" { print $2 }' "${1:-/proc/vmstat}"; }
group_of() { echo "/sys/fs/cgroup$(show ControlGroup "$1")"; }

# start: the unit, at once; a case that needs it goes on only then: start || return
start() { now 'systemctl start ksmtuned' systemctl start ksmtuned; }

# The daemon ended by itself and with exit status 0.  An inactive unit may be unloaded: its Result alone proves little.
clean_stop() { is ActiveState inactive && is Result success && systemd_said 'Deactivated successfully'; }

# The time of the last decision, and that USR1 brings another one.
decided() { grep -E '^TIME_USEC=' /run/ksmtuned/state; }
decides() {     # decides TEXT
    local was; was=$(decided)
    retune
    check "$1" eval '[ -n "$(decided)" ] && [ "$(decided)" != "'"$was"'" ]'
}

# Both units down, no guest, no drop-in, KSM as after boot, and the journal read from here on.
fresh() {
    systemctl stop ksmtuned ksm 2>/dev/null
    systemctl reset-failed ksmtuned ksm 2>/dev/null
    no_guests; no_hogs
    if [ -e /run/systemd/system/ksmtuned.service.d ]; then rm -r /run/systemd/system/ksmtuned.service.d; systemctl daemon-reload; fi
    rm -f /etc/ksmtuned.conf.d/* /var/log/ksmtuned*
    [ ! -e $ksm/advisor_mode ] || echo none > $ksm/advisor_mode
    set_knobs 2 100 20
    echo 0 > $ksm/run
    configure
    mark
}

total=$(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo)
# What makes the kernel merge a guest in a second or two.
fast="KSM_SLEEP_MSEC=0 KSM_NPAGES_BOOST=20000 KSM_NPAGES_MAX=20000"
# With this threshold an empty host rests, and a guest of this size makes it scan.
busy=KSM_THRES_COEF=70 guest_mib=$((total * 4 / 10 / 1024))
scanning() { knob run -eq 1; }
resting() { knob run -eq 0; }
