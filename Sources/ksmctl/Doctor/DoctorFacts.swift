import Glibc
import HostInspection
import HostKernel
import KSMPolicy

/// All that the doctor's checks look at. `nil` is what could not be seen, or what this host does not have.
struct DoctorFacts {
    var paths: HostPaths
    var now: WallTime
    var isRoot: Bool
    /// In bytes.
    var pageSize: Bytes
    var memory = MemoryInfo()
    var configuration = Configuration()
    var diagnostics: [Diagnostic] = []
    var ksm: KSMSnapshot
    /// Why KSM's files cannot be written.
    var refusal: KernelFileError?
    var daemon = RunningDaemon.none
    /// Why it is not known whether the daemon runs.
    var daemonFailure: KernelFileError?
    var state: StateRecord?
    /// What a daemon that is gone has not put back, as `NAME (VALUE)`.
    var leftBehind: [String] = []
    /// Whether the daemon should have made its first decision long ago.
    var isFirstOverdue = false
    var processes = ProcessSurvey()
    var processesFailure: KernelFileError?
    var tuned: TunedProfile?
    /// Lines that have something write KSM's files at boot.
    var bootWriters: [BootWriter] = []
    /// The links that keep systemd from starting the units.
    var maskedUnits: [String] = []
    var guests: [GuestDetails] = []
    var guestsFailure: KernelFileError?
    /// What could not be seen of the guests, as sentences without a full stop.
    var unseen: [String] = []
    /// Whether there may be processes that this one is not shown, guests among them.
    var isBlind = false
    /// What they need and could not be read, as such a sentence.
    var unknownNeeds: String?
    /// Guests that are there and could not be read, and processes that may be some.
    var unreadableGuests: [GuestList.Unreadable] = []
    /// Processes that are no guests and offer memory to KSM, and how many may do so and hide it from this user.
    var others: [KSMProcess] = []
    var hiddenOthers = 0
    /// Why it is not known of further processes whether they do.
    var othersFailures: [KernelFileError] = []
    var hugePages: HugePages?
    var topology = HostTopology()
    var swaps: [SwapDevice]?
    var hugePagePool: HugePagePool?
    var cache: ZFSCache?
    var swappiness: Int64?
    var zswap: Zswap?
    var pressure: MemoryPressure?
    /// Files that are there and could not be read: what they hold is not known, whatever `nil` above says.
    var failures: [KernelFileError] = []
    /// The record of the history that ksmd's CPU time is counted from.
    var earlier: HistoryRecord?

    /// Facts without any, for one who fills them in.
    init(paths: HostPaths, now: WallTime, isRoot: Bool, pageSize: Bytes, ksm: KSMSnapshot) {
        self.paths = paths
        self.now = now
        self.isRoot = isRoot
        self.pageSize = pageSize
        self.ksm = ksm
    }

    /// Those of a host.
    ///
    /// - Throws: ``Refusal`` where not even its memory can be read.
    init(_ paths: HostPaths, now: WallTime? = nil) throws {
        let view = try HostView(paths)
        self.init(
            paths: paths, now: now ?? HostView.now, isRoot: geteuid() == 0, pageSize: view.pageSize, ksm: view.ksm)
        memory = view.memory
        configuration = view.configuration
        diagnostics = view.loaded.diagnostics
        daemon = view.daemon
        daemonFailure = view.daemonFailure
        failures += [view.stateFailure, view.ksm.threadFailure].compactMap { $0 }
        state = view.state
        leftBehind = view.leftBehind
        isFirstOverdue = view.isFirstOverdue
        do throws(KernelFileError) {
            try KSMDirectory(paths).check()
        } catch {
            refusal = error
        }
        do throws(KernelFileError) {
            processes = try ProcessSurvey(
                paths, configuration, writerNames: OtherWriter.allCases.map { $0.rawValue })
        } catch {
            processesFailure = error
        }
        do throws(KernelFileError) {
            let list = try GuestReader.read(paths, configuration)
            guests = list.guests
            unreadableGuests = list.unreadable
            unseen = list.unseen
            isBlind = list.isBlind
            unknownNeeds = list.unknownNeeds
            others = list.others
            hiddenOthers = list.hiddenOthers
            othersFailures = list.othersFailures
            failures += list.unknownFiles
        } catch {
            guestsFailure = error
        }
        bootWriters = BootWriter.find(paths, &failures)
        maskedUnits = see { () throws(KernelFileError) in try MaskedUnits.find(paths) } ?? []
        tuned = see { () throws(KernelFileError) in try TunedProfile.read(paths) }
        hugePages = see { () throws(KernelFileError) in try HugePages.read(paths) }
        topology.cpus = see { () throws(KernelFileError) in try CPUList.online(paths) }.map { Int($0) }
        topology.memoryNodes = see { () throws(KernelFileError) in try CPUList.memoryNodes(paths) }.map { Int($0) }
        swaps = see { () throws(KernelFileError) in try SwapDevice.all(paths) }
        hugePagePool = see { () throws(KernelFileError) in try HugePagePool.read(paths) }
        cache = see { () throws(KernelFileError) in try ZFSCache.read(paths) }
        swappiness = see { () throws(KernelFileError) in try Swappiness.read(paths) }
        zswap = see { () throws(KernelFileError) in try Zswap.read(paths) }
        pressure = see { () throws(KernelFileError) in try MemoryPressure.read(paths) }
        let now = self.now
        earlier = see { () throws(KernelFileError) in try Self.earlier(paths, now: now) }
    }

    /// What a reader gives; a failure is kept.
    private mutating func see<Value>(_ read: () throws(KernelFileError) -> Value?) -> Value? {
        do throws(KernelFileError) {
            return try read()
        } catch {
            failures.append(error)
            return nil
        }
    }

    /// ksmd's CPU time is counted over this time at least: it works in bursts, and the daemon decides once
    /// a minute.
    private static let leastSpan = Duration.seconds(30)
    /// And this at most: what ksmd did before that says nothing of now.
    private static let longestSpan = Duration.seconds(3600)

    /// The newest record that is old enough.
    private static func earlier(_ paths: HostPaths, now: WallTime) throws(KernelFileError) -> HistoryRecord? {
        try HistoryReader.repairedRecords(paths).last { record in
            let age = now - record.time
            return record.counters?.cpu != nil && (leastSpan...longestSpan).contains(age)
        }
    }

    // MARK: What follows from them

    var isRunning: Bool { if case .running = daemon { true } else { false } }

    var total: KiB { memory.total ?? .zero }

    /// The path of a file of KSM.
    func file(_ file: KSMFile) -> String { "\(paths.ksm)/\(file.name)" }

    func amount(pages: Pages) -> String { Amount.text(bytes: pages.bytes(of: pageSize).count) }

    /// Passes that KSM needs before anything can be merged: one to hash, one to compare.
    static let firstPasses: Int64 = 2

    /// Why no check of guests is possible; `nil` where there are some.
    var whyNoGuests: String? {
        if let guestsFailure { return "the guests cannot be read: \(guestsFailure)" }
        guard guests.isEmpty else { return nil }
        guard unreadableGuests.isEmpty else { return "no guest could be read" }
        return unseen.first.map { "no guest can be seen: \($0)" } ?? "no guest runs"
    }
}
