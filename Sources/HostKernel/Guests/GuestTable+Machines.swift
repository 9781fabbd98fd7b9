internal import KSMPolicy

/// Machines that the kernel announced.
extension GuestTable {
    /// Takes what the kernel announced: whoever creates a machine is a guest at once, without a listing.
    ///
    /// A guest with no guest's name is one while it has a machine. After lost events nobody knows that, so those that
    /// had one stay guests until they end.
    package mutating func announce(_ announced: MachineEvents) {
        if announced.isLossy {
            for index in guests.indices where !guests[index].machines.isEmpty { guests[index].isUncertain = true }
        }
        for event in announced.events {
            switch event.kind {
            case .create: created(by: event.creator)
            case .destroy: destroyed(by: event.creator)
            }
        }
    }

    private mutating func created(by creator: Int32) {
        do throws(KernelFileError) {
            // None if it has ended already.
            guard let pid = try process(of: creator) else { return }
            var index = guests.firstIndex { $0.pid == pid }
            if let known = index, !guests[known].isSame(in: folder) {
                forget(known)
                index = nil
            }
            if index == nil {
                // Where its machine counts, its command line has time until the next listing.
                let isNamed =
                    try matcher.countsAnnounced ? Self.name(pid, folder, matcher) == .guest : isNamed(pid)
                guard isNamed || matcher.countsAnnounced else { return }
                let count = guests.count
                add(pid, isNamed: isNamed)
                guard guests.count > count else { return }
            }
            guests[index ?? guests.endIndex - 1].machines.append(creator)
        } catch {
            if unknownCreators.count < Self.mostGuests { unknownCreators.append(creator) }
            blindness = blindness ?? error
        }
    }

    /// Asks again whose process a thread is of which that could not be read when it created a machine.
    mutating func resolveCreators() {
        let creators = unknownCreators
        unknownCreators = []
        for creator in creators { created(by: creator) }
    }

    private mutating func destroyed(by creator: Int32) {
        if let waiting = unknownCreators.firstIndex(of: creator) { unknownCreators.remove(at: waiting) }
        // A machine that was there before this table: its creator is most often the first thread of its process.
        let index =
            guests.firstIndex { $0.machines.contains(creator) } ?? guests.firstIndex { $0.pid == creator }
        guard let index else { return }
        if let machine = guests[index].machines.firstIndex(of: creator) { guests[index].machines.remove(at: machine) }
        if !counts(guests[index]) || guests[index].read(in: folder) == .ended { forget(index) }
    }

    /// The pid of a thread's process; `nil` where the thread has ended.
    private func process(of thread: Int32) throws(KernelFileError) -> Int32? {
        let limit = ProcessFile.longestStatus
        guard let status = try ProcessFile.readIfThere(folder, thread, "status", limit: limit) else { return nil }
        return NamedNumber.find(line: "Tgid", in: status.span).flatMap { Int32(exactly: $0) }
    }
}
