/// The processes of a listing, and which of them are new.
package struct ProcessTable: Sendable {
    /// A process as a listing shows it: its number, and the inode that tells it from an earlier one of the same number.
    package struct Entry: Sendable {
        package let pid: Int32
        fileprivate var inode: UInt32
        /// First seen in the last listing: it may have been seen between fork and exec, under its parent's name.
        fileprivate var isYoung: Bool { inode & Self.young != 0 }
        fileprivate static let young: UInt32 = 1 << 31
        /// Seen in parts of listings alone. They come soon one after the other, and whoever starts a guest may prepare much
        /// between fork and exec.
        fileprivate var isUnsettled: Bool { inode & Self.unsettled != 0 }
        fileprivate static let unsettled: UInt32 = 1 << 30

        fileprivate var own: UInt32 { inode & ~(Self.young | Self.unsettled) }

        /// Half of the inode's bits are the kernel's counter's; losing two of them cannot matter.
        package init(pid: Int32, inode: UInt64) {
            self.pid = pid
            self.inode = UInt32(truncatingIfNeeded: inode)
            self.inode = own
        }
    }

    /// In ascending order of pids.
    private var known: [Entry] = []

    package init() {}

    package var count: Int { known.count }

    package func contains(_ pid: Int32) -> Bool {
        let place = place(of: pid)
        return place < known.count && known[place].pid == pid
    }

    /// Where a process is among the known, or would be.
    private func place(of pid: Int32) -> Int {
        var low = 0
        var high = known.count
        while low < high {
            let middle = (low + high) / 2
            if known[middle].pid < pid { low = middle + 1 } else { high = middle }
        }
        return low
    }

    package mutating func forget() { known.removeAll(keepingCapacity: true) }

    /// Takes a whole listing.
    ///
    /// - Parameters:
    ///   - present: All processes in ascending order of pids. It is given what was known before, whose room it has: a steady
    ///     listing allocates nothing.
    ///   - look: Called in ascending order of pids with each process that was not known, and once more with each that was
    ///     new in the last listing, or was found by ``add(_:_:)`` since the last whole one.
    package mutating func replace(with present: inout [Entry], _ look: (Int32) -> Void) {
        var old = 0
        for index in present.indices {
            let pid = present[index].pid
            while old < known.count, known[old].pid < pid { old += 1 }
            let isKnown =
                old < known.count && known[old].pid == pid && known[old].own == present[index].own
            if !isKnown { present[index].inode |= Entry.young }
            if !isKnown || known[old].isYoung || known[old].isUnsettled { look(pid) }
        }
        swap(&known, &present)
    }

    /// Takes a part of a listing; those that are not in it stay.
    ///
    /// - Parameter look: As ``replace(with:_:)`` has it. One that was young and is another process by now is looked at once.
    package mutating func add(_ part: [Entry], _ look: (Int32) -> Void) {
        var looks: [Int32] = []
        for index in known.indices where known[index].isYoung {
            known[index].inode &= ~Entry.young
            looks.append(known[index].pid)
        }
        for entry in part where take(entry) && !looks.contains(entry.pid) { looks.append(entry.pid) }
        looks.sort()
        looks.forEach(look)
    }

    /// - Returns: Whether it is new.
    private mutating func take(_ entry: Entry) -> Bool {
        let place = place(of: entry.pid)
        var young = entry
        young.inode |= Entry.young | Entry.unsettled
        guard place < known.count, known[place].pid == entry.pid else {
            known.insert(young, at: place)
            return true
        }
        guard known[place].own != entry.own else { return false }
        known[place] = young
        return true
    }
}
