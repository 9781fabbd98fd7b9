/// A name that looks like a setting's and is none, so that its line does nothing.
struct Misnomer {
    /// Behind the name.
    let message: String
    private let known: String?
    private let name: String

    /// What to write instead; found by a comparison with every setting's name, so for those that are shown.
    var hint: String { known ?? Setting.nearest(to: name).map { "did you mean \($0.name)?" } ?? "" }

    /// - Returns: `nil` for a setting, and for a name of the administrator's own.
    init?(_ name: String) {
        guard Setting(rawValue: name) == nil else { return nil }
        self.name = name
        if let other = Self.elsewhere.first(where: { $0.name == name }) {
            (message, known) = (other.message, other.hint)
            return
        }
        let capitals = String(decoding: name.utf8.map { $0.isLowerCaseLetter ? $0 - 0x20 : $0 }, as: UTF8.self)
        if let setting = Setting(rawValue: capitals) {
            message = "is not a setting, and is ignored: their names are in capital letters"
            known = "write \(setting.name)"
            return
        }
        guard name.utf8.starts(with: "KSM_".utf8) else { return nil }
        message = "is not a setting, and is ignored"
        known = nil
    }

    /// Names of other files that have to do with KSM.
    private static let elsewhere = [
        (
            name: "KSM_MAX_KERNEL_PAGES", message: "is not a setting of this file, and is ignored",
            hint: "ksm.service reads it from /etc/default/ksm or /etc/sysconfig/ksm, for kernels before 2.6.33"
        ),
        (
            name: "SLEEP_MILLISECS", message: "is not a setting of this file, and is ignored",
            hint: "it belongs to /etc/default/qemu-kvm of Debian and Ubuntu; write KSM_SLEEP_MSEC here"
        ),
        (
            name: "KSM_ENABLED", message: "is not a setting of this file, and is ignored",
            hint: "it belongs to /etc/default/qemu-kvm of Debian and Ubuntu; systemctl enable --now ksm ksmtuned "
                + "switches KSM on here"
        ),
    ]
}

extension UInt8 {
    fileprivate var isLowerCaseLetter: Bool { self &- UInt8(ascii: "a") < 26 }
}
