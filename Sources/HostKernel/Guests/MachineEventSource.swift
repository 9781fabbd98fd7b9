internal import CLinux
internal import Glibc

/// Hears the kernel announce virtual machines: a netlink(7) socket of the family NETLINK_KOBJECT_UEVENT.
///
/// It takes no capability. Machines that were there before are not announced.
package struct MachineEventSource: ~Copyable {
    private let socket: FileDescriptor
    /// Whether the numbers of the kernel's messages are the numbers of `/proc`. In a PID namespace of its own they
    /// would name other processes.
    private let knowsProcesses: Bool

    /// In bytes, which the kernel doubles. A message takes 832 of these (Linux 6.18) and a machine sends two, so a
    /// thousand machines may come and go while a decision is made, and twice as many. The kernel allows no more than
    /// `net.core.rmem_max`, by itself 208 KiB: room for 256 machines.
    package static var receiveBuffer: Int32 { 2 << 20 }

    /// At one time no more messages than these are taken. What is left waits for the next time, and what finds no room
    /// then is lost, which is known: whoever creates machines without end must not keep the daemon from its decisions.
    package static var mostMessages: Int { 1024 }

    /// The inode number of the first PID namespace, the same on every host: PROC_PID_INIT_INO in
    /// `include/linux/proc_ns.h`.
    private static var firstNamespace: UInt64 { 0xEFFF_FFFC }

    /// - Throws: ``KernelFileError`` where there is no such socket: in some containers, or by a unit's
    ///   `RestrictAddressFamilies=`.
    package init(receiveBuffer: Int32 = Self.receiveBuffer) throws(KernelFileError) {
        let number = linux_uevents_open(receiveBuffer)
        guard number >= 0 else { throw KernelFileError(.open, "the kernel's uevents (netlink)", errno: errno) }
        socket = FileDescriptor(adopting: number)
        var namespace = stat()
        knowsProcesses =
            unsafe stat("/proc/self/ns/pid", &namespace) == 0 && UInt64(namespace.st_ino) == Self.firstNamespace
    }

    /// Becomes readable when there is something to take.
    package var descriptor: Int32 { socket.number }

    /// Takes what is there, without waiting, as far as ``mostMessages`` go.
    ///
    /// Only the kernel's own messages count. Where the kernel had to drop some, or they name processes of another
    /// PID namespace, the result is lossy.
    ///
    /// - Returns: Whether there may be more.
    /// - Throws: ``KernelFileError`` where the socket is of no use any more.
    @discardableResult package borrowing func take(into heard: inout MachineEvents) throws(KernelFileError) -> Bool {
        var failure: Int32 = 0
        var messages = 0
        // The kernel limits the fields of a message to 2,048 bytes.
        unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            while failure == 0, messages < Self.mostMessages {
                messages += 1
                let length = unsafe linux_uevent_take(socket.number, buffer.baseAddress, buffer.count)
                guard length >= 0 else {
                    failure = errno
                    // The kernel had no room or no memory for a message; what it has kept comes after this.
                    if failure == ENOBUFS || failure == ENOMEM { heard.isLossy = true }
                    if failure == ENOBUFS || failure == ENOMEM || failure == EINTR { failure = 0 }
                    continue
                }
                let message = unsafe Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<length]))
                guard let event = MachineEvent(parsing: message) else { continue }
                if knowsProcesses { heard.events.append(event) } else { heard.isLossy = true }
            }
        }
        guard failure == EAGAIN || failure == 0 else {
            throw KernelFileError(.read, "the kernel's uevents (netlink)", errno: failure)
        }
        return failure == 0
    }
}
