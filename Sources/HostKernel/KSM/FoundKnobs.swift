package import KSMPolicy

/// What the knobs held before the daemon first wrote to them, for `KSM_ON_EXIT=restore`.
///
/// One that cannot be read at start is read again until the daemon writes to it; from then on what it held is lost.
package struct FoundKnobs: Sendable {
    /// `nil` is a file that this kernel does not have, or one of ``unknown``.
    package private(set) var values = KnobValues()
    /// Files that are there, and of which it is not known what they held.
    package private(set) var unknown: [KSMFile] = []
    /// Files that a daemon before this one may have written to, and had not put back.
    package private(set) var inherited = KSMFileSet()
    /// Those of ``unknown`` that were written to, so that to read them says nothing any more.
    private var lost: [KSMFile] = []

    /// What can be put back. The advisor's bounds come before what they bound.
    private static var files: [KSMFile] {
        [
            .run, .pagesToScan, .sleepMilliseconds, .advisorMode, .advisorTargetScanTime, .advisorMaxCPU,
            .advisorMinPagesToScan, .advisorMaxPagesToScan,
        ]
    }

    /// Reads what the kernel holds now.
    package init(_ control: some KSMControl) {
        unknown = Self.files
        _ = readAgain(control, written: KSMFileSet())
    }

    /// Takes over what a daemon found that had no orderly end. What it does not say is lost, since that daemon may have
    /// written to it, unless this kernel has no such file.
    ///
    /// - Parameter hasEnded: Whether it had put back the rest, so that what that holds now is the operator's.
    package init(inheriting values: KnobValues, hasEnded: Bool = false, _ control: some KSMControl) {
        self.values = values
        for file in Self.files where !hasEnded || values[file] != nil { inherited.insert(file) }
        guard !hasEnded else {
            unknown = Self.files.filter { values[$0] == nil }
            _ = readAgain(control, written: KSMFileSet())
            return
        }
        for file in Self.files where values[file] == nil {
            do throws(KernelFileError) {
                if try Self.read(file, control) == nil { continue }
            } catch {
                // It is there.
            }
            unknown.append(file)
            lost.append(file)
        }
    }

    /// Reads what is not known yet, as long as this daemon has not written to it.
    ///
    /// - Parameter written: What it has written to.
    /// - Returns: Whether more is known than before.
    package mutating func readAgain(_ control: some KSMControl, written: KSMFileSet) -> Bool {
        let before = unknown.count
        for file in unknown where !lost.contains(file) {
            guard !written.contains(file) else {
                lost.append(file)
                continue
            }
            do throws(KernelFileError) {
                values[file] = try Self.read(file, control)
                unknown.removeAll { $0 == file }
            } catch {
                // It is asked for again.
            }
        }
        return unknown.count < before
    }

    /// What cannot be put back: of what was written to, what is not known.
    ///
    /// - Parameter written: What this daemon has written to.
    package func missing(written: KSMFileSet) -> [KSMFile] {
        unknown.filter { lost.contains($0) || written.contains($0) }
    }

    /// - Returns: `nil` where this kernel has no such file.
    private static func read(_ file: KSMFile, _ control: some KSMControl) throws(KernelFileError) -> Int64? {
        if file == .advisorMode { return try control.readAdvisorMode().map { KnobValues.number($0) } }
        return try control.read(file)
    }
}

extension KnobValues {
    fileprivate static func number(_ mode: AdvisorMode) -> Int64 { mode == .scanTime ? 1 : 0 }

    /// What is known of a file; of ``KSMFile/advisorMode`` 1 for scan-time. Nothing of files that are no part of this.
    package subscript(_ file: KSMFile) -> Int64? {
        get {
            switch file {
            case .run: run
            case .pagesToScan: pagesToScan
            case .sleepMilliseconds: sleepMilliseconds
            case .advisorMode: advisorMode.map { Self.number($0) }
            case .advisorTargetScanTime: advisor.scanTimeSeconds
            case .advisorMaxCPU: advisor.cpuMaximumPercent
            case .advisorMinPagesToScan: advisor.pagesMinimum
            case .advisorMaxPagesToScan: advisor.pagesMaximum
            default: nil
            }
        }
        set {
            switch file {
            case .run: run = newValue
            case .pagesToScan: pagesToScan = newValue
            case .sleepMilliseconds: sleepMilliseconds = newValue
            case .advisorMode: advisorMode = newValue.map { $0 == 1 ? .scanTime : AdvisorMode.none }
            case .advisorTargetScanTime: advisor.scanTimeSeconds = newValue
            case .advisorMaxCPU: advisor.cpuMaximumPercent = newValue
            case .advisorMinPagesToScan: advisor.pagesMinimum = newValue
            case .advisorMaxPagesToScan: advisor.pagesMaximum = newValue
            default: break
            }
        }
    }
}
