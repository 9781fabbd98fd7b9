package import KSMPolicy

/// How much of a host's swap makes room for guests: the one rule for every command that compares guests with a host.
///
/// Swap on zram is RAM itself. A page that goes there takes as much of the RAM as it does not compress, and one that
/// does not compress takes all of it, so the size of the device is no room at all: 64 MiB of random data on a device of
/// 256 MiB took 64.0 MiB, 64 MiB of one line of text again and again took 1.2 MiB (`mm_stat`, Linux 6.18). It adds what compression saves; that is known of the pages that are
/// there, not of those that would come when the guests use all of their memory. So it is shown beside what merging and
/// balloons save, and like these it is not counted on.
package struct SwapRoom: Equatable, Sendable {
    /// What a swap area lies on.
    package enum Backing: Equatable, Sendable {
        case disk
        /// zram: compressed memory.
        case memory
        /// Something that may need memory itself before it takes a page; the text says what, as the end of a sentence.
        case doubtful(String)
    }

    package struct Area: Equatable, Sendable {
        package var name: String
        package var size: KiB
        package var backing: Backing

        package init(name: String, size: KiB, backing: Backing) {
            self.name = name
            self.size = size
            self.backing = backing
        }
    }

    package var areas: [Area]

    package init(_ areas: [Area]) { self.areas = areas }

    /// What a plan counts on.
    package var usable: KiB { sum { $0 == .disk } }

    /// The size of the areas that are RAM themselves.
    package var inMemory: KiB { sum { $0 == .memory } }

    /// The areas that may take no page when memory is short, and so are not counted on.
    package var doubtful: [(area: Area, why: String)] {
        areas.compactMap { area in
            guard case .doubtful(let why) = area.backing else { return nil }
            return (area, why)
        }
    }

    private func sum(_ isMeant: (Backing) -> Bool) -> KiB {
        areas.sum { isMeant($0.backing) ? $0.size : .zero }
    }
}
