# What the cases of packages share: dpkg, with packages one over the other. Each case begins with `no_package`, which fails
# where there are none, and ends with a purge.

no_package() {
    fresh
    if [ -e no-packages ]; then
        skip 'packages one over the other' "$(cat no-packages)"
        return 1
    fi
    # What `make install` put here is no package's.
    rm -rf /usr/sbin/ksm{tuned,ctl} /usr/lib/systemd/system/ksm{,tuned,tuned-metrics}.{service,timer} /etc/ksmtuned.conf{,.d} \
        /etc/default/ksm /etc/logrotate.d/ksmtuned /usr/share/{ksmtuned,ksmctl} /usr/share/man/man?/ksm* /var/lib/ksmtuned \
        /usr/share/bash-completion/completions/ksmctl /usr/share/zsh/site-functions/_ksmctl \
        /usr/share/fish/vendor_completions.d/ksmctl.fish /run/ksmtuned
    systemctl daemon-reload
    # Nor what a case that has failed left.
    [ ! -e /var/lib/dpkg/info/ksmtuned.list ] || deb --purge ksmtuned > /dev/null 2>&1
    ours=$(dpkg-deb -f packages/ours.deb Version)
}
deb() { DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold "$@" < /dev/null; }
version() { dpkg-query -W -f '${Status} ${Version}\n' "${1:-ksmtuned}"; }
# `run`, many times a second, while something else happens.
watch() { (while read -r value < $ksm/run; do echo "$value"; sleep .05; done > /tmp/runs) & watcher=$!; }
never_stopped() {
    kill $watcher; wait $watcher 2> /dev/null
    sort /tmp/runs | uniq -c
    [ "$(sort -u /tmp/runs)" = 1 ] && [ "$(wc -l < /tmp/runs)" -gt 5 ]
}
enabled() { systemctl is-enabled ksm ksmtuned | tee /dev/stderr | grep -c '^enabled$' | grep -qx 2; }
# The daemon of the package, not the script of the same name.
native() { [ "$(readlink "/proc/$(pid)/exe")" = /usr/sbin/ksmtuned ]; }
# With these an empty host scans, by the original's rule, too.
changed() { printf '%s\n' '# changed by hand' KSM_THRES_COEF=100 KSM_MONITOR_INTERVAL=1 > $conf; echo '# changed by hand' >> /etc/default/ksm; }
kept() { grep -q 'changed by hand' $conf && grep -q KSM_THRES_COEF=100 $conf && grep -q 'changed by hand' /etc/default/ksm; }
confined() { cat "/proc/$(pid)/attr/current"; grep -qx 'ksmtuned (enforce)' "/proc/$(pid)/attr/current"; }
no_denial() { journal -k -o cat | sed -n 's/.*\(apparmor="DENIED".*ksmtuned.*\)/\1/p' | sed 's/class="file" info="[^"]*"//' | tr -d '"'; [ -z "$(journal -k -o cat | grep -E 'apparmor="DENIED".*ksmtuned')" ]; }
leftovers() { find / \( -path /proc -o -path /sys -o -path /payload -o -path /tmp -o -path /run/log -o -path /var/log/journal \) -prune \
    -o \( -name '*ksmtun*' -o -name 'ksmctl*' -o -name ksm -o -name 'ksm.service*' -o -name '_ksmctl' \) -print; }
