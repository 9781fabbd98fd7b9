internal import CLinux

/// A capability of this process; see capabilities(7).
package enum Capability: Int32, Sendable {
    /// To read files whose mode does not allow it.
    case readAll = 2
    /// To look into other users' processes.
    case trace = 19

    package var name: String {
        switch self {
        case .readAll: "CAP_DAC_READ_SEARCH"
        case .trace: "CAP_SYS_PTRACE"
        }
    }

    /// Whether this process may use it now.
    package var isHeld: Bool { linux_has_capability(rawValue) != 0 }
}
