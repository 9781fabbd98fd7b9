internal import CLinux
internal import Glibc
package import KSMPolicy

/// A configuration as it was found on the host, with all there is to say about it.
package struct LoadedConfiguration: Sendable {
    package var configuration: Configuration
    /// Each setting's text and origin.
    package var values: SettingValues
    package var diagnostics: [Diagnostic]

    /// Whether a file could not be read for a reason that may pass, so that nothing can be said of what is in it.
    package var mayPass: Bool

    package var isUsable: Bool { !diagnostics.contains { $0.severity == .error } }
}

/// Where a configuration is read from: the environment, a file, and the drop-in files beside it.
package struct ConfigurationFiles: Sendable {
    private let file: String
    /// Whether the file was asked for by name, so that it must be there.
    private let isNamed: Bool

    /// The host's own, which need not exist.
    package init(_ paths: HostPaths) {
        file = paths.configuration
        isNamed = false
    }

    /// - Parameter file: A path as it stands, under no root.
    package init(named file: String) {
        self.file = file
        isNamed = true
    }

    /// Reads everything anew.
    ///
    /// Bad contents and unreadable files become diagnostics; nothing here throws.
    ///
    /// - Parameter total: The host's memory, for defaults that follow it and to see whether the settings' arithmetic
    ///   fits it; `nil` leaves that open.
    package func load(total: KiB?) -> LoadedConfiguration {
        var diagnostics: [Diagnostic] = []
        var mayPass = false
        let environment = Self.environment(&diagnostics)
        var parser = AssignmentParser(environment: environment)
        let paths = [file] + dropIns(&diagnostics, &mayPass)
        read(paths, into: &parser, &diagnostics, &mayPass)
        diagnostics += parser.diagnostics
        let values = SettingValues(environment + parser.assignments, total: total ?? Defaults.assumedTotal)
        if total == nil, values.profile == .scaled {
            diagnostics.append(
                Diagnostic(
                    .warning, at: values[.profile].origin,
                    "\(Setting.profile.name)=\(Profile.scaled.word) follows the host's memory, which cannot be read "
                        + "here, so \(Defaults.assumedTotal) are assumed"))
        }
        let configuration = Configuration(values, total: total, diagnostics: &diagnostics)
        Self.checkPattern(configuration, values, &diagnostics)
        checkPaths(values, read: paths, &diagnostics)
        if let total { Self.checkArithmetic(configuration, total: total, values, &diagnostics) }
        return LoadedConfiguration(
            configuration: configuration, values: values, diagnostics: Self.inOrder(diagnostics, of: paths),
            mayPass: mayPass)
    }

    /// Reads the files one after the other.
    private func read(
        _ paths: [String], into parser: inout AssignmentParser, _ diagnostics: inout [Diagnostic],
        _ mayPass: inout Bool
    ) {
        var size = 0
        for path in paths {
            func refuse(_ message: String, hint: String) {
                diagnostics.append(Diagnostic(.error, at: .file(path, line: 1, column: 1), message, hint: hint))
            }
            do throws(KernelFileError) {
                guard let text = try Self.text(of: path, mustExist: isNamed && path == file) else { continue }
                size += text.count
                guard size <= ConfigurationBounds.text else {
                    return refuse(
                        "the files up to this one hold more than \(ConfigurationBounds.text) bytes together, and what "
                            + "follows is not read", hint: "make them smaller")
                }
                parser.read(text, from: path)
            } catch {
                mayPass = mayPass || error.mayPass
                let remedy = error.isMissing ? "name a file that exists" : "make it a readable file, or remove it"
                refuse(error.description, hint: error.mayPass ? "try again" : remedy)
            }
        }
    }

    /// Reads one file.
    ///
    /// - Returns: `nil` where there is none. A link to `/dev/null` is an empty one, as systemd has it of its own files: it
    ///   masks one of that name that a package brings.
    /// - Throws: ``KernelFileError`` where there is one that cannot be opened: settings must not be lost in silence.
    private static func text(of path: String, mustExist: Bool) throws(KernelFileError) -> [UInt8]? {
        var status = stat()
        if unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFCHR, status.st_rdev == nullDevice {
            return []
        }
        if let text = try HostFile.readText(path) { return text }
        if mustExist { throw KernelFileError(.read, path, errno: ENOENT) }
        if unsafe lstat(path, &status) == 0 {
            throw KernelFileError(.read, path, errno: 0, detail: "it is a link to a file that does not exist")
        }
        // The listing puts this character in the place of bytes that are no UTF-8, so that no such file can be opened.
        if path.unicodeScalars.contains("\u{FFFD}") {
            throw KernelFileError(.read, path, errno: 0, detail: "its name is not UTF-8")
        }
        return nil
    }

    /// `/dev/null`: major number 1, minor number 3; see null(4).
    private static let nullDevice: dev_t = 1 << 8 | 3

    /// As somebody would meet them who reads the files from the first line to the last.
    private static func inOrder(_ diagnostics: [Diagnostic], of paths: [String]) -> [Diagnostic] {
        func place(_ diagnostic: Diagnostic) -> (file: Int, line: Int, column: Int) {
            guard case .file(let path, let line, let column) = diagnostic.origin else { return (-1, 0, 0) }
            return (paths.firstIndex(of: path) ?? paths.count, line, column)
        }
        let placed = diagnostics.map { (place: place($0), diagnostic: $0) }.enumerated()
        let sorted = placed.sorted { left, right in
            left.element.place == right.element.place
                ? left.offset < right.offset : left.element.place < right.element.place
        }
        return sorted.map { $0.element.diagnostic }
    }

    private static func checkPattern(
        _ configuration: Configuration, _ values: SettingValues, _ diagnostics: inout [Diagnostic]
    ) {
        guard let pattern = configuration.guestPattern else { return }
        do throws(Pattern.Refusal) {
            _ = try Pattern(pattern)
        } catch {
            let what = error.isTooCostly ? "takes too much time or memory" : "is not an extended regular expression"
            diagnostics.append(
                Diagnostic(
                    .error, at: values[.guestPattern].origin,
                    "\(Setting.guestPattern.name)=\(pattern.quotable) \(what): \(error.reason)",
                    hint: error.isTooCostly ? "write it without" : "see regex(7)"))
        }
    }

    /// A file that the daemon writes or reads itself would be replaced and removed as its pid file, or grow by lines of a
    /// log that are no part of it; and one in the place of its folders would keep it from making them.
    ///
    /// - Parameter read: The files that the configuration comes from.
    private func checkPaths(_ values: SettingValues, read: [String], _ diagnostics: inout [Diagnostic]) {
        let host = HostPaths()
        let folders = [host.configuration, file].map { HostPaths.dropIns(of: $0) }
        let dropIns = (folders + folders.compactMap { HostFile.realPath($0) }).map { Self.resolved($0) }
        let written = [host.lock, host.state, HostFile.hiddenName(of: host.state), host.history]
        // A file that is read may be a link to another one; to a device, nothing is lost by a log.
        let linked = read.compactMap { HostFile.realPath($0) }.filter { (try? HostFile.openRegular($0)) != nil }
        var own = (written + [host.configuration] + linked).map { Self.resolved($0) } + dropIns
        own += read.filter { $0 != "/dev/null" }.map { Self.resolved($0) }
        own += written.map { Self.resolved($0).dropLast() }
        func isOwn(_ path: ArraySlice<Substring>) -> Bool { own.contains(path) || dropIns.contains(path.dropLast()) }
        for setting in [Setting.pidFile, .logFile]
        where !values[setting].text.isEmpty && isOwn(Self.resolved(values[setting].text)) {
            diagnostics.append(
                Diagnostic(
                    .error, at: values[setting].origin,
                    "\(setting.name)=\(values[setting].shown) is a file that ksmtuned keeps something else in",
                    hint: "name another file"))
        }
        let (log, pid) = (values[.logFile], values[.pidFile])
        let pidPaths = [pid.text, PIDFile.aside(pid.text)].map { Self.resolved($0) }
        if !log.text.isEmpty, pidPaths.contains(Self.resolved(log.text)) {
            diagnostics.append(
                Diagnostic(
                    .error, at: log.origin, "\(Setting.logFile.name)=\(log.shown) is the pid file",
                    hint: "name another file"))
        }
    }

    /// A path as it tells one file from another: its folder without links and `..`, or only without `..` where it is not
    /// there.
    private static func resolved(_ path: String) -> ArraySlice<Substring> {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let folder = slash.map { String(path[...$0]) } ?? "."
        let name = path[(slash.map { path.utf8.index(after: $0) } ?? path.startIndex)...]
        var names: [Substring] = []
        for part in (HostFile.realPath(folder) ?? folder).split(separator: "/") + [name] where part != "." {
            if part == ".." { _ = names.popLast() } else { names.append(part) }
        }
        return names.starts(with: ["var", "run"]) ? names.dropFirst() : names[...]
    }

    private static func checkArithmetic(
        _ configuration: Configuration, total: KiB, _ values: SettingValues, _ diagnostics: inout [Diagnostic]
    ) {
        // A value that was refused already stands in the configuration as a harmless one.
        guard !diagnostics.contains(where: { $0.severity == .error }) else { return }
        do throws(ClassicPolicy.Refusal) {
            _ = try ClassicPolicy(configuration, total: total)
        } catch {
            let setting: Setting
            let why: String
            switch error {
            case .overflow(let culprit):
                setting = culprit
                why = "is so large that with this host's \(total) the arithmetic is beyond 64 bits"
            case .sleepTooLong(let milliseconds):
                setting = .sleepMilliseconds
                why = "means a sleep of \(milliseconds) ms on this host of \(total), beyond the kernel's 32 bits"
            }
            let value = values[setting]
            diagnostics.append(
                Diagnostic(
                    .error, at: value.origin, "\(setting.name)=\(value.shown) \(why)", hint: "write a smaller number"))
        }
    }

    /// The drop-in files in the order of their names' bytes.
    private func dropIns(_ diagnostics: inout [Diagnostic], _ mayPass: inout Bool) -> [String] {
        let folder = HostPaths.dropIns(of: file)
        var names: [String] = []
        do throws(KernelFileError) {
            names = try FolderListing.names(in: folder).filter { $0.hasSuffix(".conf") && !$0.hasPrefix(".") }
        } catch {
            // A file in its place is a mistake; that there is none is not.
            if error.errno != ENOENT {
                mayPass = mayPass || error.mayPass
                diagnostics.append(
                    Diagnostic(
                        .error, at: .file(folder, line: 1, column: 1), error.description,
                        hint: error.mayPass ? "try again" : "make it a readable folder, or remove it"))
            }
        }
        if names.count > ConfigurationBounds.dropIns {
            diagnostics.append(
                Diagnostic(
                    .error, at: .file(folder, line: 1, column: 1),
                    "there are \(names.count) files, more than \(ConfigurationBounds.dropIns), and none of them is read",
                    hint: "remove those that are not needed"))
            return []
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { "\(folder)/\($0)" }
    }

    /// The environment's variables, but for settings that are longer than may be.
    private static func environment(_ diagnostics: inout [Diagnostic]) -> [Assignment] {
        var assignments: [Assignment] = []
        guard var entry = unsafe linux_environment() else { return [] }
        while let text = unsafe entry.pointee {
            unsafe entry += 1
            let whole = unsafe String(cString: text)
            guard let equals = whole.utf8.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = String(whole[..<equals])
            let value = String(whole[whole.utf8.index(after: equals)...])
            // No file can name it, and to look it up takes a time that grows with the square of the marks in it.
            guard name.utf8.allSatisfy({ $0 < 0x80 }) else { continue }
            if Setting(rawValue: name) != nil, value.utf8.count > ConfigurationBounds.value {
                diagnostics.append(
                    Diagnostic(
                        .error, at: .environment,
                        "the value of \(name) is longer than \(ConfigurationBounds.value) bytes",
                        hint: "write a shorter one"))
            } else if Setting(rawValue: name) != nil, unsafe String(validatingCString: text) == nil {
                diagnostics.append(AssignmentParser.notUTF8(name, at: .environment))
            } else {
                assignments.append(Assignment(name: name, value: value, origin: .environment))
            }
        }
        return assignments
    }
}
