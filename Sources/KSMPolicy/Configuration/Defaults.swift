/// Which defaults count: those of a profile, on a host of some size.
///
/// A value without any call to the system. The daemon, `--check-config` and the tests say how large the host is.
package struct Defaults: Equatable, Sendable {
    package let profile: Profile
    /// `MemTotal`. Only ``Profile/scaled`` asks for it.
    package let total: KiB

    /// What is assumed where nobody knows the host's memory.
    package static let assumedTotal = ClassicPolicy.referenceTotal

    /// Those that count where no profile is set.
    package static let union = Defaults(.union)

    package init(_ profile: Profile, total: KiB = assumedTotal) {
        self.profile = profile
        self.total = total
    }

    /// What counts where the setting is absent or empty, as it would be written in the file. Empty means unset.
    package subscript(_ setting: Setting) -> String {
        own(setting) ?? setting.defaultText
    }

    /// The profile's own default of a setting; `nil` where it has none, and upstream's counts.
    func own(_ setting: Setting) -> String? {
        switch (profile, setting) {
        case (.proxmox, .sleepMilliseconds): "100"
        case (.proxmox, .guestMetric): "pss"
        // Exactly a variant of the original decides once an interval and on signals.
        case (.upstream, .retuneOnGuests), (.debian, .retuneOnGuests), (.proxmox, .retuneOnGuests): "no"
        case (.upstream, .pressure), (.debian, .pressure), (.proxmox, .pressure): "off"
        case (.scaled, .thresholdPercent): scale.thresholdPercent
        case (.scaled, .sleepMilliseconds): scale.sleepMilliseconds
        default: nil
        }
    }

    /// The more memory a host has, the smaller a share of it is a reserve, and the shorter may ksmd sleep.
    ///
    /// The bounds are nominal sizes: `MemTotal` lacks what the firmware and the kernel keep for themselves, so that a
    /// host of 16 GiB is below 16 GiB.
    private var scale: (thresholdPercent: String, sleepMilliseconds: String) {
        switch total {
        case ...KiB(16 << 20): ("50", "80")
        case ...KiB(32 << 20): ("40", "60")
        case ...KiB(64 << 20): ("30", "40")
        case ...KiB(128 << 20): ("20", "20")
        default: ("10", "10")
        }
    }
}
