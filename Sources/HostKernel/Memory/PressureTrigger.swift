internal import Glibc
package import KSMPolicy

/// A trigger of the kernel's pressure stall information; see `Documentation/accounting/psi.rst`.
///
/// The kernel reports at most once per window, however long the pressure lasts.
package struct PressureTrigger: ~Copyable {
    private let file: FileDescriptor
    /// What the kernel watches for. It is not what was asked for where this process may not have that.
    package let threshold: PressureThreshold

    /// Sets a trigger.
    ///
    /// Without CAP_SYS_RESOURCE the kernel takes only windows that are a multiple of two seconds, and older kernels take
    /// none at all. Where it refuses the window, the same share of one that it takes is tried.
    ///
    /// - Throws: ``KernelFileError`` where the kernel has no pressure stall information, as with `psi=0`, or refuses.
    package init(_ paths: HostPaths, _ asked: PressureThreshold) throws(KernelFileError) {
        let file = try FileDescriptor(opening: paths.memoryPressure, O_RDWR | O_NONBLOCK)
        let threshold = try Self.set(asked, file, paths.memoryPressure)
        self.init(adopting: file, threshold)
    }

    /// - Parameter file: An open file of the kernel that polls for `threshold`.
    package init(adopting file: consuming FileDescriptor, _ threshold: PressureThreshold) {
        self.file = file
        self.threshold = threshold
    }

    /// - Returns: What the kernel took.
    private static func set(
        _ asked: PressureThreshold, _ file: borrowing FileDescriptor, _ path: String
    ) throws(KernelFileError) -> PressureThreshold {
        do throws(KernelFileError) {
            // The kernel takes the last byte for the end of the text, whatever it is.
            try file.writeAll((asked.trigger + "\0").utf8.span, path: path)
            return asked
        } catch {
            guard error.errno == EINVAL, let wider = asked.withUnprivilegedWindow else { throw error }
            return try set(wider, file, path)
        }
    }

    /// Polls as POLLPRI when the threshold was passed, and as POLLERR when the kernel watches no more.
    package var descriptor: Int32 { file.number }
}

extension PressureThreshold {
    /// What the kernel is given: `some 150000 1000000`.
    package var trigger: String { "\(kind.rawValue) \(stall.microseconds) \(window.microseconds)" }

    /// The same share of a window that is a multiple of two seconds, rounded up; `nil` where it is one already.
    package var withUnprivilegedWindow: PressureThreshold? {
        let unit: Int64 = 2_000_000
        let wider = (window.microseconds + unit - 1) / unit * unit
        guard wider != window.microseconds else { return nil }
        return PressureThreshold(
            kind, stall: .microseconds(stall.microseconds * wider / window.microseconds), window: .microseconds(wider))
    }

    /// As the configuration file has it: `some 150ms/1s`.
    package var word: String { "\(kind.rawValue) \(Self.time(stall))/\(Self.time(window))" }

    private static func time(_ time: Duration) -> String {
        let microseconds = time.microseconds
        if microseconds % 1_000_000 == 0 { return "\(microseconds / 1_000_000)s" }
        return microseconds % 1000 == 0 ? "\(microseconds / 1000)ms" : "\(microseconds)us"
    }
}
