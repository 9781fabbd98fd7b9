internal import CLinux

/// Whether an open file may be held for the next reading, or there are so few descriptors that each must be closed again.
///
/// A descriptor has the lowest number that is free, so its number says how many are left below the limit.
enum DescriptorReserve {
    /// What must stay free: for the state file, the history, the log and its socket, the pressure trigger, the pipe of a
    /// write in a child, a file that is opened for one reading, and a reload.
    static var count: Int { 16 }

    /// One call to the system; asked when a file was opened to be held, and not at each reading of one that is.
    static func allowsHolding(_ descriptor: Int32) -> Bool {
        Int(descriptor) + count < linux_descriptor_limit()
    }
}
