internal import CLinux
internal import Glibc

/// A write in a child of its own, for what may take long or cost the writer its life.
///
/// The kernel makes whoever writes 2 to `run` the OOM killer's first choice for as long as it unmerges, and a write
/// to `run` waits until ksmd has finished its batch. Meanwhile the daemon must answer its watchdog.
package struct ChildWrite: Equatable, Sendable {
    /// Becomes readable when the child has ended.
    package let descriptor: Int32
    private let child: pid_t
    private let path: String

    package init(_ text: String, to path: String) throws(KernelFileError) {
        var child: pid_t = 0
        let descriptor = unsafe linux_write_in_child(path, text, &child)
        guard descriptor >= 0 else { throw KernelFileError(.write, path, errno: errno) }
        self.descriptor = descriptor
        self.child = child
        self.path = path
    }

    /// Takes the result; to be called once, when ``descriptor`` is readable. Before that it waits.
    package func finish() throws(KernelFileError) {
        let result = linux_child_result(child)
        close(descriptor)
        if result < 0 {
            throw KernelFileError(
                .write, path, errno: 0, detail: "the process that wrote was ended by signal \(-result)")
        }
        guard result == 0 else { throw KernelFileError(.write, path, errno: result) }
    }
}
