package import KSMPolicy

extension KnobValues {
    /// The numbers of `run` and of the pace, as the kernel holds them now.
    ///
    /// - Parameter failures: Receives the error of each file that is there and cannot be read. Its value is unknown.
    package init(paceOf control: some KSMControl, failures: inout [KernelFileError]) {
        self.init()
        run = Self.read(.run, control, &failures)
        pagesToScan = Self.read(.pagesToScan, control, &failures)
        sleepMilliseconds = Self.read(.sleepMilliseconds, control, &failures)
    }

    private static func read(
        _ file: KSMFile, _ control: some KSMControl, _ failures: inout [KernelFileError]
    ) -> Int64? {
        do throws(KernelFileError) {
            return try control.read(file)
        } catch {
            failures.append(error)
            return nil
        }
    }
}

extension Knob {
    package var file: KSMFile {
        switch self {
        case .mergeAcrossNodes: .mergeAcrossNodes
        case .maxPageSharing: .maxPageSharing
        case .useZeroPages: .useZeroPages
        case .smartScan: .smartScan
        }
    }
}
