internal import HostKernel

/// The virtual machines that KVM has now.
enum KVMMachines {
    /// Lists the threads that created one by debugfs, where the kernel keeps a folder `PID-DESCRIPTOR` for each.
    ///
    /// That costs in proportion to the machines. Looking through the descriptors of every process instead would take a
    /// host of 10,000 processes near a second.
    ///
    /// - Returns: Thread ids; none where debugfs is not mounted or may not be read: it is root's.
    /// - Throws: ``KernelFileError`` where debugfs is there and fails.
    static func creators(_ paths: HostPaths) throws(KernelFileError) -> [Int32] {
        var names: [String] = []
        do throws(KernelFileError) {
            names = try FolderListing.names(in: paths.machines)
        } catch {
            if error.isMissing || error.isDenied { return [] }
            throw error
        }
        var creators: [Int32] = []
        for name in names {
            let bytes = Array(name.utf8)
            guard let creator = DecimalField(bytes.span, at: 0), let thread = Int32(exactly: creator.value), thread > 0,
                creator.end < bytes.count, bytes[creator.end] == UInt8(ascii: "-"),
                let descriptor = DecimalField(bytes.span, at: creator.end + 1)
            else { continue }
            // The creator is a thread that may have ended, and its number be another's by now.
            if try Link.isMachine("\(paths.proc)/\(thread)/fd/\(descriptor.value)") { creators.append(thread) }
        }
        return creators
    }

    /// Whether one of a process's descriptors is a virtual machine of KVM.
    ///
    /// - Parameter folder: Of the descriptors, `/proc/PID/fd`.
    /// - Throws: ``KernelFileError``; it ``KernelFileError/isDenied`` where they may not be seen.
    static func isHeld(in folder: String) throws(KernelFileError) -> Bool {
        do throws(KernelFileError) {
            for name in try FolderListing.names(in: folder) where try Link.isMachine("\(folder)/\(name)") {
                return true
            }
            return false
        } catch {
            // Without descriptors: it has ended.
            if error.isVanished { return false }
            throw error
        }
    }
}
