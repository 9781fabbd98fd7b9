import Foundation
import HostFixtures

extension FakeHost {
    /// What the programs are told.
    var rootOption: String { "--root=\(root.path)" }

    /// The text with this tree's root in place of `ROOT`.
    func filled(_ text: String) -> String {
        text.replacing("ROOT", with: root.path)
    }

    /// One of KSM's knobs, without its line break.
    func knob(_ name: String) -> String? {
        read("sys/kernel/mm/ksm/\(name)")?.trimmingCharacters(in: .newlines)
    }

    /// `run`, `pages_to_scan` and `sleep_millisecs`.
    var knobs: [String?] { [knob("run"), knob("pages_to_scan"), knob("sleep_millisecs")] }

    func configure(_ text: String) {
        write(text, to: "etc/ksmtuned.conf")
    }

    func exists(_ relative: String) -> Bool {
        FileManager.default.fileExists(atPath: path(relative))
    }

    /// The lines of the state file.
    var state: [String: String] {
        var state: [String: String] = [:]
        for line in (read("run/ksmtuned/state") ?? "").split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { state[String(parts[0])] = String(parts[1]) }
        }
        return state
    }

    /// Too little free memory, so that KSM scans harder each time.
    func runShort() {
        setMemory(total: 16_777_216, free: 1_000_000)
    }

    /// Everything that can be seen of the tree: names, kinds, sizes, contents, and when each last changed.
    var everything: [String] {
        let names = (FileManager.default.enumerator(atPath: root.path)?.allObjects as? [String] ?? []).sorted()
        return ([""] + names).map { name in
            var status = stat()
            let place = path(name)
            guard unsafe lstat(place, &status) == 0 else { return "\(name): unreadable" }
            let changed = "\(status.st_ctim.tv_sec).\(status.st_ctim.tv_nsec)"
            let contents = status.st_mode & S_IFMT == S_IFREG ? read(name) ?? "" : ""
            return "\(name): mode \(status.st_mode), inode \(status.st_ino), changed \(changed), \(contents)"
        }
    }
}
