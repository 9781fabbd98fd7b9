package import KSMPolicy

/// What the command line of a virtual machine monitor says of its guest. `nil` is what it does not say.
///
/// It is text that anybody may have written: whatever is in it, reading it ends well.
package struct GuestCommandLine: Equatable, Sendable {
    package var name: String?
    /// The guest's memory at its start.
    package var configured: KiB?
    /// The guest's CPUs at its start.
    package var vcpus: Int?
    package var balloon: GuestDetails.Balloon?
    /// For each part of the guest's memory, what keeps KSM from merging it; none for a part that is offered to KSM.
    package var parts: [[GuestDetails.Obstacle]]?

    package init() {}

    /// - Parameter arguments: With the program's name first, as in `/proc/PID/cmdline`.
    package init(_ arguments: [String]) {
        guard let program = arguments.first.map(Self.lastComponent) else { return }
        let options = Array(arguments.dropFirst())
        if program.hasPrefix("cloud-hypervisor") {
            self = .cloudHypervisor(options)
        } else if program.hasPrefix("firecracker") {
            self = .firecracker(options)
        } else if program == "crosvm" {
            self = .crosvm(options)
        } else if Self.isQEMU(program) || options.contains(where: Self.isTypicalOfQEMU) {
            self = QEMUCommandLine(options).guest
        }
    }

    private static func isQEMU(_ program: String) -> Bool {
        // The wrapper that NixOS puts around QEMU begins with a dot.
        program == "kvm" || program.hasPrefix("qemu") || program.hasPrefix(".qemu")
    }

    /// Of a program with a name of its own.
    private static func isTypicalOfQEMU(_ argument: String) -> Bool {
        switch argument {
        case "-machine", "-M", "-accel", "-enable-kvm", "-smp": true
        default: false
        }
    }

    private static func lastComponent(_ path: String) -> String {
        let bytes = Array(path.utf8)
        let start = bytes.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        return String(decoding: bytes[start...], as: UTF8.self)
    }

    /// Splits the text of `/proc/PID/cmdline`.
    package static func arguments(_ text: [UInt8]) -> [String] {
        var arguments: [String] = []
        var start = 0
        for end in text.indices where text[end] == 0 {
            arguments.append(String(decoding: text[start..<end], as: UTF8.self))
            start = end + 1
        }
        if start < text.count { arguments.append(String(decoding: text[start...], as: UTF8.self)) }
        return arguments
    }
}
