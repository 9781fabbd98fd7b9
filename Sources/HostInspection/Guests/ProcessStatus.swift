internal import HostKernel
internal import KSMPolicy

/// What `/proc/PID/status` says; see proc_pid_status(5). `nil` is a line that is not there, as in a kernel's thread.
struct ProcessStatus: Equatable {
    /// The pid, of which a thread's own number may differ. `Tgid`
    var process: Int32?
    var parent: Int32?
    /// Anonymous memory in swap; that of shared memory is not in it. `VmSwap`
    var swapped: KiB?
    /// Memory that is kept from swap: by mlock(2), or for a device that was passed through. `VmLck`
    var locked: KiB?
    /// Memory that must not even move, since a device writes to it. `VmPin`
    var pinned: KiB?
    /// Memory in huge pages of a pool, of which `statm` knows nothing. `HugetlbPages`
    var inHugePages: KiB?

    init(parsing text: [UInt8]) {
        for line in text.split(separator: UInt8(ascii: "\n")) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let value = line[(colon + 1)...].drop { $0.isBlank }
            guard let number = DecimalField(Array(value).span, at: 0)?.value else { continue }
            switch String(decoding: line[..<colon], as: UTF8.self) {
            case "Tgid": process = Int32(exactly: number)
            case "PPid": parent = Int32(exactly: number)
            case "VmSwap": swapped = KiB(number)
            case "VmLck": locked = KiB(number)
            case "VmPin": pinned = KiB(number)
            case "HugetlbPages": inHugePages = KiB(number)
            default: break
            }
        }
    }
}
