internal import CLinux
internal import Glibc
internal import KSMPolicy

/// Reads files of processes in a child, for those whose reader may have to wait for ever.
///
/// For `cmdline`, `environ`, `smaps_rollup` and `ksm_stat` the kernel takes the lock of the process's memory. The process can
/// keep it: one of its threads waits for a page of a file system of its user's own (FUSE), another for the lock to change
/// its mappings, and all readers behind that one. Nothing that can be read before tells that it is so, or that it stays
/// otherwise, and the wait ends for a signal that ends the process alone. So there is a process whom that may happen to: a
/// child, for all that are to be read together.
package enum ChildRead {
    package enum Answer: Equatable, Sendable {
        /// The beginning of the file, or all of it where that is shorter than asked for.
        case bytes([UInt8])
        /// Why it cannot be read: an errno.
        case failed(Int32)
    }

    /// Beyond this without one more answer, the process that is asked gives none. An ordinary one takes microseconds,
    /// seldom longer: when its memory comes from swap, or while it gives much of it back.
    package static let patience = Duration.milliseconds(500)

    /// The files that are read in one child, and the memory for them.
    private static let mostFiles = 1024
    private static let mostBytes = 16 << 20

    /// Where to ask.
    package struct Folder: Sendable {
        /// A descriptor of `/proc`.
        let number: Int32
        /// Whether it is that of a tree that stands for a host, where no child is needed: only a pipe, to which somebody may
        /// still write, would be waited for there.
        let isStandIn: Bool

        package init(_ number: Int32, isStandIn: Bool) {
            self.number = number
            self.isStandIn = isStandIn
        }
    }

    /// What came of asking many processes.
    package struct Round: Sendable {
        package var answers: [(pid: Int32, answer: Answer)] = []
        /// Those that gave none.
        package var silent: [Int32] = []
        /// Those that were not asked any more, since too many gave none.
        package var unasked: [Int32] = []
        /// Why the child itself was none, so that the rest was not asked.
        package var failure: Failure?

        /// Why one that was not asked says nothing.
        package func failure(ofUnasked path: String) -> KernelFileError {
            switch failure {
            case .noChild(let errno)?:
                KernelFileError(.read, path, errno: errno, detail: "no process can be started to read it")
            case .ended(let signal)?:
                KernelFileError(
                    .read, path, errno: 0, detail: "the process that was to read it was ended by signal \(signal)")
            case nil:
                KernelFileError(
                    .read, path, errno: 0, detail: "too many processes give no answer", cause: .silenceOfOthers)
            }
        }
    }

    /// What keeps a child from reading, and is no process's doing.
    package enum Failure: Error, Equatable, Sendable {
        /// An errno.
        case noChild(Int32)
        /// By a signal that was not the caller's.
        case ended(Int32)
    }

    /// What is said of one that gives no answer.
    ///
    /// - Parameter user: Who started it, where that is known.
    package static func silence(_ path: String, of user: Int64?) -> KernelFileError {
        let whose = user.map { ", of user \($0)," } ?? ""
        return KernelFileError(
            .read, path, errno: 0, detail: "its process\(whose) holds the lock of its memory and gives no answer",
            cause: .silence)
    }

    /// Reads a file of each process, one after the other.
    ///
    /// Whoever has a process that gives no answer may have thousands: those of others are asked first.
    ///
    /// - Parameters:
    ///   - size: No more bytes are read of each.
    ///   - mostSilent: So many may give no answer until no more are asked.
    package static func ask(
        _ pids: [Int32], for name: String, upTo size: Int, in folder: Folder, mostSilent: Int,
        patience: Duration = patience
    ) -> Round {
        var round = Round()
        var queue = pids[...]
        while !queue.isEmpty, round.silent.count < mostSilent {
            let (answers, failure) = read(name, of: queue, upTo: size, in: folder, patience: patience)
            for (pid, answer) in zip(queue, answers) { round.answers.append((pid, answer)) }
            queue = queue.dropFirst(answers.count)
            if let failure {
                round.failure = failure
                break
            }
            guard let pid = queue.popFirst() else { break }
            round.silent.append(pid)
            let user = ProcessFile.user(folder.number, pid)
            var (others, own): ([Int32], [Int32]) = ([], [])
            for pid in queue {
                if ProcessFile.user(folder.number, pid) == user { own.append(pid) } else { others.append(pid) }
            }
            queue = (others + own)[...]
        }
        round.unasked = Array(queue)
        return round
    }

    /// - Returns: The answers of the first of them in their order, and fewer than all where the next one gives none.
    private static func read(
        _ name: String, of pids: ArraySlice<Int32>, upTo size: Int, in folder: Folder, patience: Duration
    ) -> ([Answer], Failure?) {
        var answers: [Answer] = []
        answers.reserveCapacity(pids.count)
        let most = max(min(mostFiles, mostBytes / size), 1)
        while answers.count < pids.count {
            let part = pids.dropFirst(answers.count).prefix(most)
            let (given, failure) =
                folder.isStandIn
                ? (readAtOnce(name, of: part, upTo: size, in: folder.number), nil)
                : readInChild(name, of: part, upTo: size, in: folder.number, patience: patience)
            answers += given
            if given.count < part.count || failure != nil { return (answers, failure) }
        }
        return (answers, nil)
    }

    private static func readInChild(
        _ name: String, of pids: ArraySlice<Int32>, upTo size: Int, in folder: Int32, patience: Duration
    ) -> ([Answer], Failure?) {
        let reading = unsafe Array(pids).withUnsafeBufferPointer { pids in
            unsafe linux_reading_begin(folder, pids.baseAddress, UInt32(pids.count), name, size)
        }
        guard let reading = unsafe reading else { return ([], .noChild(errno)) }
        let end = unsafe linux_reading_descriptor(reading)
        var answered = 0
        func hasMore() -> Bool {
            let before = answered
            while answered < pids.count, unsafe linux_reading_length(reading, UInt32(answered)) != unanswered {
                answered += 1
            }
            return answered > before
        }
        var isGivenUp = false
        while !hasEnded(end, within: patience) {
            if hasMore() { continue }
            unsafe linux_reading_stop(reading)
            isGivenUp = true
            break
        }
        // One that the kernel does not let go even so is left to it.
        let isOver = hasEnded(end, within: patience)
        _ = hasMore()
        var answers: [Answer] = []
        for index in 0..<UInt32(answered) {
            let length = unsafe linux_reading_length(reading, index)
            let piece = unsafe UnsafeRawBufferPointer(
                start: linux_reading_bytes(reading, index), count: max(Int(length), 0))
            answers.append(length < 0 ? .failed(-length) : .bytes(unsafe Array(piece)))
        }
        let result = unsafe linux_reading_end(reading, isOver ? 1 : 0)
        if isGivenUp || answered == pids.count || result == 0 { return (answers, nil) }
        return (answers, result < 0 ? .ended(-result) : .noChild(result))
    }

    /// No length, and no errno.
    private static let unanswered = Int32.min

    private static func hasEnded(_ end: Int32, within patience: Duration) -> Bool {
        var entry = pollfd(fd: end, events: Int16(POLLIN), revents: 0)
        while true {
            let count = unsafe linux_wait(&entry, 1, patience.nanoseconds)
            // As after a stop of the whole program.
            if count < 0 && errno == EINTR { continue }
            return count > 0
        }
    }

    private static func readAtOnce(
        _ name: String, of pids: ArraySlice<Int32>, upTo size: Int, in folder: Int32
    ) -> [Answer] {
        var answers: [Answer] = []
        var bytes = [UInt8](repeating: 0, count: size)
        for pid in pids {
            let number = ProcessFile.open(folder, pid, name)
            guard number >= 0 else {
                answers.append(.failed(errno))
                continue
            }
            let file = FileDescriptor(adopting: number)
            var length = 0
            var got = 0
            repeat {
                got = unsafe bytes.withUnsafeMutableBytes { buffer in
                    unsafe Glibc.read(file.number, buffer.baseAddress! + length, size - length)
                }
                length += max(got, 0)
            } while got > 0 && length < size
            if got < 0, errno == EAGAIN { break }
            answers.append(got < 0 ? .failed(errno) : .bytes(Array(bytes[..<length])))
        }
        return answers
    }
}
