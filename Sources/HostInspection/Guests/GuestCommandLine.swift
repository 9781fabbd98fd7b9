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
    /// The guest's memory by its parts; `nil` where a file says more, which is not read.
    package var memory: [Part]?
    /// How much of the guest's memory devices hold in place that were passed through.
    package var pinning = Pinning.none
    /// Whether the monitor locks all of its memory. `mem-lock=on`
    package var locksMemory = false
    /// Who started the guest, and so in whose words it is changed.
    package var manager: GuestDetails.Manager?

    package enum Pinning: Sendable {
        case none
        /// What they use now, which only the kernel knows: a mediated device.
        case some
        case all
    }

    /// A part of the guest's memory.
    package struct Part: Equatable, Sendable {
        /// `nil` where it is not known.
        package var size: KiB?
        /// What keeps KSM from merging it; none for a part that is offered to KSM.
        package var obstacles: [GuestDetails.Obstacle]
    }

    package init() {}

    /// - Parameter arguments: With the program's name first, as in `/proc/PID/cmdline`.
    package init(_ arguments: [String]) {
        let arguments = arguments.map { $0.apart }
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
        name = name.map { $0.together }
    }

    /// For each part of the memory, what keeps KSM from merging it.
    package var parts: [[GuestDetails.Obstacle]]? { memory?.map { $0.obstacles } }

    /// How much of the memory is meant to lie in huge pages, as far as it is known.
    package var inHugePages: KiB {
        (memory ?? []).sum { $0.obstacles.contains(.hugePages) ? $0.size ?? .zero : .zero }
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

// To Swift two texts are the same if they are canonically equivalent, so to compare or hash one it sorts the marks behind
// each letter: of half a million marks, which an argument may have, for hours.
extension String {
    /// The text with a character of its own for each byte beyond ASCII: none of them is a mark. What is asked of an
    /// argument is in ASCII, and is the same of it.
    var apart: String {
        if utf8.allSatisfy({ $0 < 0x80 }) { return self }
        var characters = String.UnicodeScalarView()
        for byte in utf8 { characters.append(Unicode.Scalar(byte)) }
        return String(characters)
    }

    /// What was taken ``apart``, as it was: to be shown.
    fileprivate var together: String {
        String(decoding: unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }, as: UTF8.self)
    }
}
