internal import Glibc
package import HostKernel
package import KSMPolicy

/// The processes of the host that have to do with virtual machines or with KSM, by one look at all of them.
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

        package init(pid: Int32, parent: Int32? = nil, comm: String, isNamed: Bool = false, hasMachine: Bool? = nil) {
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

    package init() {}

    /// Names of programs that run virtual machines, with or without KVM; the kernel cuts them at 15 bytes.
    private static let machineNames: [StaticString] = [
        "qemu-system-", "qemu-kvm", "qemu:", ".qemu-system-", "cloud-hyperviso", "firecracker", "crosvm", "dragonball",
        "stratovirt", "lkvm", "kvmtool", "VBoxHeadless", "VirtualBoxVM", "vmware-vmx",
    ]

    /// Looks at every process.
    ///
    /// - Parameters:
    ///   - configuration: Says which names are guests'.
    ///   - writerNames: Values of `comm`.
    /// - Throws: ``KernelFileError`` where the processes cannot be listed, and for a pattern that makes no sense.
    package init(
        _ paths: HostPaths, _ configuration: Configuration, writerNames: [String]
    ) throws(KernelFileError) {
        var listing = try ProcessListing(paths)
        let folder = listing.folderNumber
        let matcher = try NameMatcher(configuration)
        var survey = ProcessSurvey()
        try listing.refresh { pid in
            guard let comm = ProcessFile.read(folder, pid, "comm", limit: 64) else { return }
            var process = Process(pid: pid, comm: Self.name(comm))
            let command = ProcessFile.read(folder, pid, "cmdline", limit: 1 << 20)
            process.isNamed = Self.matches(process.comm, command ?? [], matcher)
            let isWriter = writerNames.contains(process.comm)
            // The kernel's own threads have no command line, and hold no machine. One that is too long is somebody's.
            if command?.isEmpty != true {
                process.hasMachine = Self.holdsMachine("\(paths.proc)/\(pid)/fd")
                if process.hasMachine == nil { survey.hidden += 1 }
            }
            let isMachine =
                process.isNamed || process.hasMachine == true || Self.isMachineName(process.comm, command ?? [])
            guard isMachine || isWriter else { return }
            process.parent = Self.parent(folder, pid)
            if isMachine { survey.machines.append(process) }
            if isWriter { survey.writers.append(process) }
        }
        self = survey
    }

    private static func name(_ comm: [UInt8]) -> String {
        String(decoding: comm.last == UInt8(ascii: "\n") ? comm.dropLast() : comm[...], as: UTF8.self)
    }

    private static func matches(_ comm: String, _ command: [UInt8], _ matcher: borrowing NameMatcher) -> Bool {
        if matcher.matches(comm: Array(comm.utf8).span) { return true }
        guard matcher.needsCommandLine else { return false }
        var line = CommandLineMatcher()
        line.feed(command.span)
        return line.verdict == .matches
    }

    /// By `comm`, or by the name of the program's file: whoever starts a guest may call it as they like.
    private static func isMachineName(_ comm: String, _ command: [UInt8]) -> Bool {
        // Debian's and Proxmox's wrapper; as a whole word, since the kernel's own threads begin with it.
        if comm == "kvm" { return true }
        let program = command.prefix { $0 != 0 }
        let file = program[((program.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...]
        let names = [Array(comm.utf8), Array(file)]
        return machineNames.contains { machine in names.contains { $0.span.hasPrefix(machine) } }
    }

    /// Whether one of a process's descriptors is a virtual machine of KVM.
    ///
    /// - Returns: `nil` where they may not be seen.
    private static func holdsMachine(_ folder: String) -> Bool? {
        guard let stream = unsafe opendir(folder) else { return errno == EACCES ? nil : false }
        defer { unsafe closedir(stream) }
        let number = unsafe dirfd(stream)
        while let entry = unsafe readdir(stream) {
            let isMachine = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { name in
                    unsafe withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
                        let length = unsafe readlinkat(
                            number, name, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
                        guard length > 0 else { return false }
                        let target = unsafe Span<UInt8>(
                            _unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<length]))
                        return target.isEqual(to: "anon_inode:kvm-vm")
                    }
                }
            }
            if isMachine { return true }
        }
        return false
    }

    private static func parent(_ folder: Int32, _ pid: Int32) -> Int32? {
        guard let status = ProcessFile.read(folder, pid, "status", limit: 8192) else { return nil }
        return NamedNumber.find("\nPPid:\t", in: status.span).flatMap { Int32(exactly: $0) }
    }
}
