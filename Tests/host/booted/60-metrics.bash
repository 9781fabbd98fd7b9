# pss and unmerged, inside the sandbox, for a guest that runs as somebody else.
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
for metric in pss unmerged; do
    mark
    configure KSM_THRES_COEF=100 $fast DEBUG=1 KSM_PS_METRIC=$metric
    systemctl reload ksmtuned
    check "$metric does not" committed_is -lt $((rsz - merged / 2))
    now "$metric: and is not 0" committed_is -gt 0
    note "rsz $rsz KiB, $metric $amount KiB"
    now "$metric: the guest is counted" eval "entry '\"KSM_GUESTS\":\"1\"' || grep -Ei 'guests=.?1' /run/ksmtuned/state"
    now "$metric: no word of a fallback, no warning" no_complaint
done
