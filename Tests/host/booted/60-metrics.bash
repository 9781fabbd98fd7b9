# pss and unmerged, inside the sandbox, for a guest that runs as somebody else: what each needs comes as a drop-in, which
# the daemon names, with the command that adds it.
fresh
configure KSM_THRES_COEF=100 $fast DEBUG=1
guest $guest_mib 1000
start || return
committed() { retune; sleep .2; amount=$(daemon_journal -o cat | sed -n 's/^committed \([0-9]*\) free.*/\1/p' | tail -1); echo "committed ${amount:=none}"; }
committed_is() { committed; [ "$amount" "$1" "$2" ]; }
merged=$((guest_mib * 1024 * 9 / 10))
check 'the guest is merged' knob pages_sharing -gt $((merged / 4))
check "rsz counts merged memory: over $merged KiB" committed_is -gt $merged
rsz=$amount
capabilities() { local held; held=$(awk '$1 == "CapPrm:" { print $2 }' /proc/"$(pid)"/status); echo "$held"; [ "$held" = "$1" ]; }
for metric in pss unmerged; do
    [ $metric = pss ] && capability=CAP_SYS_PTRACE number=19 || capability=CAP_DAC_READ_SEARCH number=2
    mark
    configure KSM_THRES_COEF=100 $fast DEBUG=1 KSM_PS_METRIC=$metric
    now "$metric, without more: the unit's capability alone" capabilities "$(printf %016x $((1 << 23)))"
    systemctl reload ksmtuned
    check "$metric, without more: the daemon says what is missing" said_at 4..4 "KSM_PS_METRIC=$metric needs $capability.*To add it: install "
    for i in 1 2 3; do retune; sleep .2; done
    # The word that the drop-in is missing says what is counted instead, too.
    now "$metric, without more: once" eval 'told=$(daemon_journal -o cat -p 4..4); echo "$told"; [ "$(grep -c " needs CAP_" <<< "$told")" = 1 ] && [ "$(sort <<< "$told" | uniq -d | wc -l)" = 0 ] && [ "$(wc -l <<< "$told")" = 1 ]'
    check "$metric, without more: the guest counts with its resident size" committed_is -ge $((rsz - rsz / 10))
    command=$(daemon_journal -o cat -p 4..4 | sed -n 's/.*To add it: //p' | tail -1)
    note "$command"
    mark
    now "$metric: that command works" eval "$command"
    check "$metric: scanning" scanning
    now "$metric: one capability more, and no other" capabilities "$(printf %016x $((1 << 23 | 1 << number)))"
    exposure=$(systemd-analyze security ksmtuned.service --no-pager | sed -n 's/.*Overall exposure level.*: \([0-9.]*\).*/\1/p')
    note "$metric: systemd-analyze security says $exposure"
    check "$metric does not" committed_is -lt $((rsz - merged / 2))
    now "$metric: and is not 0" committed_is -gt 0
    note "rsz $rsz KiB, $metric $amount KiB"
    now "$metric: the guest is counted" eval "entry '\"KSM_GUESTS\":\"1\"' || grep -Ei 'guests=.?1' /run/ksmtuned/state"
    now "$metric: no word of a fallback, no warning" no_complaint
    rm -r /etc/systemd/system/ksmtuned.service.d
    systemctl daemon-reload
    systemctl restart ksmtuned
done
