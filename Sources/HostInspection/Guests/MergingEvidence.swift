internal import HostKernel
internal import KSMPolicy

/// Tells whether KSM may merge a guest's memory, from what the kernel and the command line say.
///
/// The kernel knows whether any memory of the process is offered, which for QEMU may be that of a video card only; the
/// command line knows how each part of the guest's memory was meant, unless a file says more. How much memory KSM keeps
/// track of settles it, once it has passed over the guest: it keeps an item for each page that is offered.
struct MergingEvidence {
    private let ksm: KSMSnapshot

    init(_ paths: HostPaths) { ksm = KSMSnapshot(paths) }

    /// Why less is known of KSM.
    var failures: [KernelFileError] { KSMFile.allCases.compactMap { ksm.failures[$0] } }

    typealias Answer = (isMergeable: Bool?, obstacles: [GuestDetails.Obstacle])

    /// - Parameters:
    ///   - merging: Pages of the process that are merged.
    ///   - age: How long the process has lived; asked for only where it matters.
    func answer(
        _ guest: GuestDetails, _ line: GuestCommandLine, _ stat: KSMStat?, merging: Pages?, age: () -> Duration?
    ) -> Answer {
        var (parts, all) = obstacles(guest, line, offersAll: stat?.offersAll == true)
        // Kernels before 6.1 do not say what they keep track of. Where much is merged, it was offered, whatever the line says.
        let isMerged = stat?.items == nil && Self.covers(merging ?? .zero, a: 8, of: guest)
        if isMerged, !parts.contains(where: \.isEmpty) { (parts, all) = obstacles(guest, line, offersAll: true) }
        guard ksm.isPresent else { return (nil, all) }
        if stat?.offersAny == false { return (false, all.isEmpty ? [.notRegistered] : all) }
        let tracked = stat.flatMap { stat in stat.items.map { Pages($0) + (stat.zeroPages ?? .zero) } }
        switch coverage(guest, tracked, age) {
        case .small where parts.isEmpty || parts.contains { $0.isEmpty }: return (false, all + [.hardlyOffered])
        case .large where parts.isEmpty && !guest.isPinned: return (true, [])
        default: break
        }
        if !parts.isEmpty { return (parts.contains { $0.isEmpty }, all) }
        if guest.isPinned { return (false, all) }
        return (isMerged ? true : nil, [])
    }

    private func obstacles(
        _ guest: GuestDetails, _ line: GuestCommandLine, offersAll: Bool
    ) -> (parts: [[GuestDetails.Obstacle]], all: [GuestDetails.Obstacle]) {
        var parts = line.parts ?? []
        if offersAll {
            // Whatever the command line switches off, the process was told to offer everything.
            parts = parts.map { part in
                part.filter { $0 != .mergingSwitchedOff && $0 != .backendNotMerged && $0 != .notOffered }
            }
        }
        if isInHugePages(guest), !parts.joined().contains(.hugePages) {
            parts = (parts.isEmpty ? [[]] : parts).map { $0 + [.hugePages] }
        }
        if guest.isPinned { parts = parts.map { $0.contains(.hugePages) ? $0 : $0 + [.pinned] } }
        var all: [GuestDetails.Obstacle] = []
        for obstacle in parts.joined() where !all.contains(obstacle) { all.append(obstacle) }
        if guest.isPinned, parts.isEmpty { all = [.pinned] }
        return (parts, all)
    }

    /// Whether the kernel shows the guest's memory in huge pages, whatever the line calls their mount.
    private func isInHugePages(_ guest: GuestDetails) -> Bool {
        guard let inside = guest.inHugePages else { return false }
        return inside > guest.held ?? .zero && inside * 2 >= guest.configured ?? .zero
    }

    // MARK: What KSM keeps track of

    private enum Coverage {
        /// Half of the guest's memory or more.
        case large
        /// Less than an eighth, though KSM has passed over it.
        case small
        case unknown
    }

    /// Guests that hold less tell nothing: their monitor's own memory is as much.
    private static let least = KiB(64 << 10)
    /// The first pass hashes, the second compares; pages that change are left out of one or the other.
    private static let passes: Int64 = 3

    private func coverage(_ guest: GuestDetails, _ tracked: Pages?, _ age: () -> Duration?) -> Coverage {
        guard let tracked, let resident = guest.resident else { return .unknown }
        if Self.covers(tracked, a: 2, of: guest) { return .large }
        guard resident >= Self.least, !Self.covers(tracked, a: 8, of: guest), ksm.fullScans ?? 0 >= Self.passes,
            // While it rests, a guest that came since has no items at all.
            ksm.run == 1
        else { return .unknown }
        // A guest that came in the course of these passes may have been met by none.
        guard let age = age() else { return .small }
        return age >= max(passTime * Self.passes, .seconds(600)) ? .small : .unknown
    }

    /// Whether pages are at least a part in so many of what the guest holds.
    private static func covers(_ pages: Pages, a part: Int64, of guest: GuestDetails) -> Bool {
        guard let resident = guest.resident, resident > .zero else { return false }
        return pages.kibibytes(of: Host.pageSize) * part >= resident
    }

    /// How long a pass takes at least at the present speed; a page takes ksmd some 3 us.
    private var passTime: Duration {
        let known = [ksm.pagesShared, ksm.pagesSharing, ksm.pagesUnshared, ksm.pagesVolatile].sum { Pages($0 ?? 0) }
        let batch = Double(max(ksm.pagesToScan ?? 1, 1))
        let perPage = Double(max(ksm.sleepMilliseconds ?? 0, 0)) / 1000 / batch + 3e-6
        return Duration(rounding: Double(known.count) * perPage)
    }
}
