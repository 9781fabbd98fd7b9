internal import Glibc
package import HostKernel
internal import KSMPolicy

/// A line that has something write one of KSM's files at boot or by the clock.
package struct BootWriter: Equatable, Sendable {
    /// The file that holds it.
    package var path: String
    /// The line, without what is around it.
    package var line: String
    /// The name of KSM's file; `nil` where the line names their folder only.
    package var file: String?

    package init(path: String, line: String, file: String?) {
        self.path = path
        self.line = line
        self.file = file
    }
}

extension BootWriter {
    /// Looks where administrators put such lines: sysfs.conf, tmpfiles.d, rc.local, cron, qemu-kvm, and units of systemd that are
    /// enabled. Those of this project do not count.
    ///
    /// - Parameter failures: Receives the error of each file and folder that is there and cannot be read.
    package static func find(_ paths: HostPaths, _ failures: inout [KernelFileError]) -> [BootWriter] {
        let search = Search()
        defer { failures += search.failures }
        return search.all(paths)
    }
}

/// One look through these files, and what of them could not be read.
private final class Search {
    private(set) var failures: [KernelFileError] = []

    func all(_ paths: HostPaths) -> [BootWriter] {
        var files = [paths.sysfsSettings] + listing(paths.sysfsSettingsFolder) { $0.hasSuffix(".conf") }
        files += firstOfEachName(paths.temporaryFilesFolders) { $0.hasSuffix(".conf") }
        let tables = [paths.cronTable] + listing(paths.cronTablesFolder) { !$0.hasPrefix(".") }
        return files.flatMap { lines(of: $0) } + paths.bootScripts.flatMap { lines(of: $0, joined: true) }
            + tables.flatMap { lines(of: $0) } + qemuSettings(paths)
            + units(paths).flatMap { lines(of: $0, joined: true) { $0.hasPrefix("Exec") } }
    }

    private func see<Value>(_ look: () throws(KernelFileError) -> Value?) -> Value? {
        do throws(KernelFileError) {
            return try KernelFileError.unlessMissing(look)
        } catch {
            // A folder or a device in its place, as of a unit that is masked, has no lines.
            if error.errno != 0, error.errno != EISDIR { failures.append(error) }
            return nil
        }
    }

    /// Debian's and Ubuntu's qemu-kvm.service writes `run` and `sleep_millisecs` by these.
    private func qemuSettings(_ paths: HostPaths) -> [BootWriter] {
        guard let text = see({ () throws(KernelFileError) in try HostFile.readText(paths.qemuSettings) }) else {
            return []
        }
        var parser = AssignmentParser(knowsSettings: false)
        parser.read(text, from: paths.qemuSettings)
        // Then the service leaves KSM off, and its sleep alone.
        if parser.assignments.last(where: { $0.name == "KSM_ENABLED" })?.value == "0" { return [] }
        return parser.assignments.compactMap { assignment in
            let file: KSMFile
            switch assignment.name {
            case "KSM_ENABLED": file = .run
            case "SLEEP_MILLISECS": file = .sleepMilliseconds
            default: return nil
            }
            let line = "\(assignment.name)=\(assignment.value)"
            return BootWriter(path: paths.qemuSettings, line: line, file: file.name)
        }
    }

    // MARK: Lines

    /// - Parameter isJoined: Whether a line goes on behind a backslash at its end.
    private func lines(
        of path: String, joined isJoined: Bool = false, _ counts: (String) -> Bool = { _ in true }
    ) -> [BootWriter] {
        // Most hosts have none of these files, and most of the files say nothing of KSM.
        guard let bytes = see({ () throws(KernelFileError) in try HostFile.readText(path) }),
            bytes.contains(UInt8(ascii: "k"))
        else { return [] }
        return Self.lines(String(decoding: bytes, as: UTF8.self), isJoined).compactMap { line in
            guard counts(line),
                let name = line.ranges(of: "kernel/mm/ksm").first(where: { name in
                    !Self.isRead(line[..<name.lowerBound])
                })
            else { return nil }
            let rest = line[name.upperBound...]
            let file = rest.hasPrefix("/") ? rest.dropFirst().prefix { $0.isLetter || $0 == "_" } : ""
            return BootWriter(path: path, line: line, file: file.isEmpty ? nil : String(file))
        }
    }

    /// Without blanks before them, and without comments, which no backslash makes longer.
    private static func lines(_ text: String, _ isJoined: Bool) -> [String] {
        var lines: [String] = []
        var isOpen = false
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            let line = line.drop { $0 == " " || $0 == "\t" }
            if line.first == "#" || line.first == ";" { continue }
            let goesOn = isJoined && line.last == "\\"
            let part = goesOn ? line.dropLast() : line
            if isOpen { lines[lines.count - 1] += part } else { lines.append(String(part)) }
            isOpen = goesOn
        }
        return lines
    }

    /// Whether a command only reads the file whose path stands behind this: `cat PATH`, also in quotes or `$(…)`, or `<PATH`.
    private static func isRead(_ command: Substring) -> Bool {
        let words = command.split { $0 == " " || $0 == "\t" }
        guard let path = words.last else { return false }
        if path.hasSuffix("</sys/") { return true }
        guard path == "/sys/", let before = words.dropLast().last else { return false }
        // Behind what begins a text or a command within another.
        let program = before.split(whereSeparator: { "\"'`(".contains($0) }).last ?? before
        return before == "<" || ["cat", "/bin/cat", "/usr/bin/cat"].contains(program)
    }

    // MARK: Files

    private func listing(_ folder: String, _ counts: (String) -> Bool) -> [String] {
        names(in: folder).filter(counts).sorted().map { "\(folder)/\($0)" }
    }

    private func names(in folder: String) -> [String] {
        see { () throws(KernelFileError) in try FolderListing.names(in: folder) } ?? []
    }

    /// A file of one folder hides those of its name in the folders behind.
    private func firstOfEachName(_ folders: [String], _ counts: (String) -> Bool) -> [String] {
        var seen: Set<String> = []
        return folders.flatMap { folder in
            names(in: folder).filter { counts($0) && seen.insert($0).inserted }.sorted().map { "\(folder)/\($0)" }
        }
    }

    /// The units that systemd starts by itself, with their drop-ins.
    private func units(_ paths: HostPaths) -> [String] {
        let own = ["ksm.service", "ksmtuned.service"]
        let wanted = paths.allUnitFolders.flatMap { folder in
            listing(folder) { $0.hasSuffix(".wants") || $0.hasSuffix(".requires") }
                .flatMap { names(in: $0) }
        }
        // A timer or a path starts the service of its name.
        let started = Set(
            wanted.flatMap { name in [name, name.prefix(upTo: name.lastIndex(of: ".") ?? name.endIndex) + ".service"] })
        let services = firstOfEachName(paths.allUnitFolders) { name in
            name.hasSuffix(".service") && !own.contains(name) && isStarted(name, started)
        }
        var seen: Set<String> = []
        let dropIns = paths.allUnitFolders.flatMap { folder in
            listing(folder) { $0.hasSuffix(".service.d") && isStarted(String($0.dropLast(2)), started) }
                .flatMap { listing($0) { $0.hasSuffix(".conf") } }
                .filter { seen.insert(String($0.dropFirst(folder.count))).inserted }
        }
        return services + dropIns
    }

    /// `name@.service` is started as `name@instance.service`.
    private func isStarted(_ name: String, _ started: Set<String>) -> Bool {
        if started.contains(name) { return true }
        guard let at = name.firstIndex(of: "@") else { return false }
        let prefix = name[...at]
        return started.contains { $0.hasPrefix(prefix) && $0.hasSuffix(".service") }
    }
}
