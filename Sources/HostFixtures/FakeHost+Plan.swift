extension FakeHost {
    /// The CPUs that are switched on.
    ///
    /// - Parameter list: As the kernel writes it, `0-3,8`.
    package func setCPUs(_ list: String) {
        write(list + "\n", to: "sys/devices/system/cpu/online")
    }

    /// What is swapped to: names, and sizes in KiB.
    package func setSwapSizes(_ swaps: [(name: String, size: Int64)]) {
        setSwaps(swaps.map { "\($0.name)                              partition\t\($0.size)\t\t0\t\t-2" })
    }

    /// Adds a device of zram.
    ///
    /// - Parameters: In bytes; `original` is what it holds, `taken` the memory that this takes.
    package func setZRAM(_ number: Int = 0, original: Int64, taken: Int64) {
        write(
            "\(original)  \(taken / 2)  \(taken)        0  \(taken)        7        0        0        0\n",
            to: "sys/block/zram\(number)/mm_stat")
    }

    /// Adds lines to `/proc/meminfo`, in KiB.
    package func addMemory(_ lines: [(name: String, amount: Int64)]) {
        let text = read("proc/meminfo") ?? ""
        write(text + lines.map { "\($0.name):       \($0.amount) kB\n" }.joined(), to: "proc/meminfo")
    }
}
