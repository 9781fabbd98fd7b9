package import HostKernel
package import KSMPolicy

/// The processes of the host that have to do with virtual machines or write KSM's files, by one look at all of them.
package struct ProcessSurvey: Equatable, Sendable {
    package struct Process: Equatable, Sendable {
        package var pid: Int32
        /// `nil` where the kernel does not say.
        package var parent: Int32?
        /// Cut at 15 bytes by the kernel, and the process's own to choose.
        package var comm: String
        /// Whether the configuration's names take it for a guest.
        package var isNamed = false
        /// Whether it holds a virtual machine of KVM: `nil` where its descriptors could not be seen.
        package var hasMachine: Bool?

        package init(
            pid: Int32, parent: Int32? = nil, comm: String, isNamed: Bool = false, hasMachine: Bool? = nil
        ) {
            self.pid = pid
            self.parent = parent
            self.comm = comm
            self.isNamed = isNamed
            self.hasMachine = hasMachine
        }
    }

    /// Those that are taken for guests, hold a machine, or bear the name of a program that runs machines.
    package var machines: [Process] = []
    /// Those with the name of a program that writes KSM's files.
    package var writers: [Process] = []
    /// Processes whose descriptors could not be seen: any of them may hold a machine.
    package var hidden = 0
    /// Why others could not be looked at, or not wholly, though they are not hidden.
    package var failures: [KernelFileError] = []

    package init() {}

    /// Looks at every process.
    ///
    /// - Parameters:
    ///   - configuration: Says which names are guests'.
    ///   - writerNames: Values of `comm`.
    /// - Throws: ``KernelFileError`` where the processes cannot be listed, and for a pattern that makes no sense.
    package init(
        _ paths: HostPaths, _ configuration: Configuration, writerNames: [String]
    ) throws(KernelFileError) {
        var files = ProcessFiles(paths)
        var listing = try ProcessListing(paths)
        let matcher = try NameMatcher(configuration)
        var pids: [Int32] = []
        try listing.refresh { pids.append($0) }
        files.readAhead("cmdline", of: pids)
        for pid in pids {
            do throws(KernelFileError) {
                try look(at: pid, files, matcher, writerNames)
            } catch {
                if error.isDenied { hidden += 1 } else { failures.append(error) }
            }
        }
    }

    private mutating func look(
        at pid: Int32, _ files: ProcessFiles, _ matcher: borrowing NameMatcher, _ writerNames: [String]
    ) throws(KernelFileError) {
        guard let comm = try files.comm(pid) else { return }
        var process = Process(pid: pid, comm: String(decoding: comm, as: UTF8.self))
        let program = try files.program(pid)
        process.isNamed = try files.isNamed(pid, comm: comm, matcher)
        // The kernel's own threads have no command line, and hold no machine.
        if program != nil {
            do throws(KernelFileError) {
                process.hasMachine = try KVMMachines.isHeld(in: "\(files.folder)/\(pid)/fd")
            } catch {
                if error.isDenied { hidden += 1 } else { failures.append(error) }
            }
        }
        let file = program ?? []
        // Whoever starts a guest may call its process as they like: its program's file may have the known name.
        let isMachine =
            process.isNamed || process.hasMachine == true || MonitorName.isMonitor(comm.span)
            || MonitorName.isMonitor(file.span)
        // Anybody may call a process so.
        let isWriter = writerNames.contains(process.comm) && files.isOfSystem(pid)
        guard isMachine || isWriter else { return }
        do throws(KernelFileError) {
            process.parent = try files.read(pid, "status", limit: ProcessFile.longestStatus)
                .flatMap { ProcessStatus(parsing: $0).parent }
        } catch {
            failures.append(error)
        }
        if isMachine { machines.append(process) }
        if isWriter { writers.append(process) }
    }
}
